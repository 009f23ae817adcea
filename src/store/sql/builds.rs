//! Builds. Never shows a build of another issuer, and never ends one twice.

use async_trait::async_trait;

use super::Backend;
use super::credential_revocation::{RevocationCause, revoke_where};
use super::fault::unavailable;
use super::fields::Fields;
use super::registration;
use crate::base::{BuildId, ClientId, IssuerId, Moment};
use crate::policy::Client;
use crate::store::{Builds, Finish, NewBuild, Registered, RegistrationRefusal, StoreError, StoredBuild};

/// The columns that [`read_build`] reads, of `registrations as r` and `builds as b`.
macro_rules! build_columns {
    () => {
        "r.build_id, r.client_id, r.build, r.audiences, r.registered_at, \
         b.deadline, b.finished_at, b.status, b.tokens_issued"
    };
}
pub(super) use build_columns;

/// Reads [`build_columns`].
pub(super) fn read_build(fields: &mut Fields<'_>) -> Result<StoredBuild, StoreError> {
    fields.continue_with("registrations");
    let id = fields.parsed("build_id")?;
    let client = ClientId::from_text(fields.text("client_id")?);
    let build = fields.json("build")?;
    let audiences = fields.optional_json("audiences")?;
    let registered_at = fields.moment("registered_at")?;
    fields.continue_with("builds");
    let deadline = fields.moment("deadline")?;
    let finished_at = fields.optional_moment("finished_at")?;
    let status = fields.optional_text("status")?;
    let finished = match (finished_at, status.as_deref().map(finish_named)) {
        (None, None) => None,
        (Some(at), Some(Some(finish))) => Some((at, finish)),
        _ => return Err(fields.corrupt("status", "does not fit finished_at")),
    };
    let tokens_issued = fields.count("tokens_issued")?;
    Ok(StoredBuild { id, client, build, audiences, registered_at, deadline, finished, tokens_issued })
}

fn word(finish: Finish) -> &'static str {
    match finish {
        Finish::Canceled => "canceled",
        Finish::Failure => "failure",
        Finish::Success => "success",
    }
}

fn finish_named(word: &str) -> Option<Finish> {
    match word {
        "canceled" => Some(Finish::Canceled),
        "failure" => Some(Finish::Failure),
        "success" => Some(Finish::Success),
        _ => None,
    }
}

#[async_trait]
impl Builds for Backend {
    async fn register_build(
        &self,
        issuer: &IssuerId,
        client: &Client,
        new: &NewBuild,
    ) -> Result<Result<Registered, RegistrationRefusal>, StoreError> {
        let (issuer, client, new) = (issuer.clone(), client.clone(), new.clone());
        let registered = self
            .writer
            .act_alone(move |connection| {
                let (issuer, client, new) = (issuer.clone(), client.clone(), new.clone());
                Box::pin(async move { registration::register(connection, &issuer, &client, &new).await })
            })
            .await?;
        if let Ok(Registered::Repeated(build)) = &registered {
            self.request_token_cache.forget_build(build.id);
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
        row.map(|row| read_build(&mut Fields::of(&row, "registrations"))).transpose()
    }

    async fn finish_build(
        &self,
        issuer: &IssuerId,
        id: BuildId,
        client: &ClientId,
        status: Finish,
        now: Moment,
    ) -> Result<bool, StoreError> {
        let (issuer, client) = (issuer.clone(), client.clone());
        let known = self
            .writer
            .change(move |connection| {
                let (issuer, client) = (issuer.clone(), client.clone());
                Box::pin(async move {
                    let ended = sqlx::query(
                        "update builds set finished_at = $4, status = $5 \
                         where issuer = $1 and id = $2 and client_id = $3 and finished_at is null and deadline > $4",
                    )
                    .bind(issuer.as_str())
                    .bind(id.to_string())
                    .bind(client.as_str())
                    .bind(now.unix())
                    .bind(word(status))
                    .execute(&mut *connection)
                    .await
                    .map_err(unavailable)?;
                    if ended.rows_affected() == 1 {
                        revoke_where(connection, &issuer, RevocationCause::Build(id), "its build ended", now).await?;
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
                    Ok(Ok(known == 1))
                })
            })
            .await?;
        if known {
            self.request_token_cache.forget_build(id);
        }
        Ok(known)
    }
}
