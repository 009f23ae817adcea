//! Finds and finishes builds. This file never returns a build of another issuer, and never finishes a build twice.

use async_trait::async_trait;

use super::Backend;
use super::credential_revocation::{RevocationCause, revoke_where};
use super::driver::DbConnection;
use super::fault::unavailable;
use super::registration;
use super::request_tokens::erase_audiences;
use super::rows::{build_columns, read_build};
use crate::base::{BuildId, ClientId, IssuerId, Moment};
use crate::policy::Client;
use crate::store::{
    BuildRegistration, Builds, Finish, NewBuild, Outcome, RegistrationRefusal, RevocationReason, StoreError,
    StoredBuild,
};

/// Cancels the running builds of a client that was disabled, erases their lists of audiences, and revokes the credentials
/// issued for tokens of the client's builds. Returns the number of canceled builds.
pub(super) async fn cancel_builds(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    client: &ClientId,
    now: Moment,
) -> Result<u64, StoreError> {
    sqlx::query(
        "update request_tokens set audiences = '[]' \
         where issuer = $1 and audiences is not null and audiences <> '[]' and build_id in \
         (select id from builds where issuer = $1 and client_id = $2 and finished_at is null and deadline > $3)",
    )
    .bind(issuer.as_str())
    .bind(client.as_str())
    .bind(now.unix())
    .execute(&mut *connection)
    .await
    .map_err(unavailable)?;
    let finished = sqlx::query(
        "update builds set finished_at = $3, status = 'canceled' \
         where issuer = $1 and client_id = $2 and finished_at is null and deadline > $3",
    )
    .bind(issuer.as_str())
    .bind(client.as_str())
    .bind(now.unix())
    .execute(&mut *connection)
    .await
    .map_err(unavailable)?;
    revoke_where(connection, issuer, RevocationCause::Client(client), RevocationReason::ClientDisabled, now).await?;
    Ok(finished.rows_affected())
}

#[async_trait]
impl Builds for Backend {
    async fn register_build(
        &self,
        issuer: &IssuerId,
        client: &Client,
        new: &NewBuild,
    ) -> Outcome<BuildRegistration, RegistrationRefusal> {
        let registered = self
            .writer()
            .act_serializable(
                (issuer.clone(), client.clone(), new.clone()),
                move |connection, (issuer, client, new)| {
                    Box::pin(registration::register(connection, issuer, client, new))
                },
            )
            .await?;
        if let Ok(BuildRegistration::Repeated(build)) = &registered {
            self.request_token_cache.remove_build(build.id);
        }
        Ok(registered)
    }

    async fn find_build(&self, issuer: &IssuerId, id: BuildId) -> Result<Option<StoredBuild>, StoreError> {
        let row = sqlx::query(concat!(
            "select ",
            build_columns!(),
            " from registrations as r join builds as b on b.issuer = r.issuer and b.id = r.build_id \
             where r.issuer = $1 and r.build_id = $2"
        ))
        .bind(issuer.as_str())
        .bind(id.to_string())
        .fetch_optional(&self.readers)
        .await
        .map_err(unavailable)?;
        row.as_ref().map(read_build).transpose()
    }

    async fn finish_build(
        &self,
        issuer: &IssuerId,
        id: BuildId,
        client: &ClientId,
        status: Finish,
        now: Moment,
    ) -> Result<bool, StoreError> {
        let known = self
            .writer()
            .change((issuer.clone(), client.clone()), move |connection, (issuer, client)| {
                Box::pin(async move {
                    let finished = sqlx::query(
                        "update builds set finished_at = $4, status = $5 \
                         where issuer = $1 and id = $2 and client_id = $3 and finished_at is null and deadline > $4",
                    )
                    .bind(issuer.as_str())
                    .bind(id.to_string())
                    .bind(client.as_str())
                    .bind(now.unix())
                    .bind(<&str>::from(status))
                    .execute(&mut *connection)
                    .await
                    .map_err(unavailable)?;
                    if finished.rows_affected() == 1 {
                        revoke_where(
                            connection,
                            issuer,
                            RevocationCause::Build(id),
                            RevocationReason::BuildFinished,
                            now,
                        )
                        .await?;
                        erase_audiences(connection, issuer, id).await?;
                    }
                    let known: i64 = sqlx::query_scalar(
                        "select count(*) from builds where issuer = $1 and id = $2 and client_id = $3",
                    )
                    .bind(issuer.as_str())
                    .bind(id.to_string())
                    .bind(client.as_str())
                    .fetch_one(connection)
                    .await
                    .map_err(unavailable)?;
                    Ok(known == 1)
                })
            })
            .await?;
        if known {
            self.request_token_cache.remove_build(id);
        }
        Ok(known)
    }
}
