//! Finds, lists and revokes credentials and redeemed subject tokens. The redemption itself is in `redeem.rs`; nothing
//! here makes a used token unused.

use async_trait::async_trait;

use super::Backend;
use super::credential_revocation::{RevocationCause, revoke_where};
use super::credentials::{credentials_where, read_credential, read_id_token};
use super::driver::DbConnection;
use super::fault::unavailable;
use super::fields::Fields;
use super::rows::{build_columns, client_columns, insert_event, read_build, read_client};
use crate::base::{CredentialId, IdTokenId, IssuerId, Jti, Moment, Sha256};
use crate::store::{
    CredentialFilter, EventRow, IdTokenRecord, Outcome, Redemption, RedemptionRefusal, Redemptions, RevocationReason,
    RevokedToken, StoreError, StoredCredential, StoredIdToken, TokenKey,
};

const IS_USED: &str =
    "select used from used_tokens where issuer = $1 and token_issuer = $2 and digest = $3 and used = 1";

async fn revoke(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    RevokedToken { key: token, own, kept_until }: &RevokedToken,
    event: &EventRow,
    now: Moment,
) -> Result<(), StoreError> {
    let mut changed = false;
    if let Some(jti) = own {
        let done =
            sqlx::query("update audit set revoked_at = $3 where issuer = $1 and jti = $2 and revoked_at is null")
                .bind(issuer.as_str())
                .bind(jti.to_string())
                .bind(now.unix())
                .execute(&mut *connection)
                .await
                .map_err(unavailable)?;
        changed = done.rows_affected() > 0;
    }
    // If the token is redeemed at the same time, the redemption waits for this row, or this transaction waits for the
    // redemption's row.
    sqlx::query(
        "insert into used_tokens (issuer, token_issuer, digest, kept_until, used) values ($1, $2, $3, $4, 1) \
         on conflict (issuer, token_issuer, digest) do update set used = 1 where used_tokens.used = 0",
    )
    .bind(issuer.as_str())
    .bind(&token.issuer)
    .bind(token.digest.as_bytes().as_slice())
    .bind(kept_until.unix())
    .execute(&mut *connection)
    .await
    .map_err(unavailable)?;
    // Revoking another issuer's token that was never redeemed records no event; the token's row is deleted once the
    // token has expired.
    let revoked = revoke_where(
        connection,
        issuer,
        RevocationCause::IdToken(&token.issuer, token.digest),
        RevocationReason::IdTokenRevoked,
        now,
    );
    changed |= revoked.await? > 0;
    if changed {
        insert_event(connection, issuer, event).await?;
    }
    Ok(())
}

/// Maximum number of used tokens that one statement deletes, so that the statement stays within its time limit.
const DELETED_AT_ONCE: i64 = 10_000;

const DELETE_USED: &str = "\
    delete from used_tokens where issuer = $1 and kept_until < $2 and digest in ( \
        select digest from used_tokens where issuer = $1 and kept_until < $2 limit $3)";

#[async_trait]
impl Redemptions for Backend {
    async fn redeem(&self, issuer: &IssuerId, redemption: &Redemption) -> Outcome<(), RedemptionRefusal> {
        self.writer().redeem(issuer.clone(), redemption.clone()).await
    }

    async fn find_issued(&self, issuer: &IssuerId, jti: Jti) -> Result<Option<IdTokenRecord>, StoreError> {
        let row = sqlx::query(concat!(
            "select a.token_sha256 as a_token_sha256, a.kid as a_kid, a.revoked_at as a_revoked_at, ",
            build_columns!(),
            ", ",
            client_columns!(),
            ", t.step as t_step from audit as a \
             join registrations as r on r.issuer = a.issuer and r.build_id = a.build_id \
             join builds as b on b.issuer = a.issuer and b.id = a.build_id \
             join clients as c on c.issuer = a.issuer and c.id = b.client_id \
             left join request_tokens as t on t.issuer = a.issuer and t.id = a.request_token_id \
             where a.issuer = $1 and a.jti = $2"
        ))
        .bind(issuer.as_str())
        .bind(jti.to_string())
        .fetch_optional(&self.readers)
        .await
        .map_err(unavailable)?;
        let Some(row) = row else { return Ok(None) };
        let audit = Fields::joined(&row, "audit", "a_");
        Ok(Some(IdTokenRecord {
            token_sha256: audit.digest("token_sha256")?,
            kid: audit.text("kid")?,
            revoked_at: audit.optional_moment("revoked_at")?,
            build: read_build(&row)?,
            client: read_client(&row)?,
            step: Fields::joined(&row, "request_tokens", "t_").optional_json("step")?,
        }))
    }

    async fn is_used(&self, issuer: &IssuerId, token: &TokenKey) -> Result<bool, StoreError> {
        let used: Option<i64> = sqlx::query_scalar(IS_USED)
            .bind(issuer.as_str())
            .bind(&token.issuer)
            .bind(token.digest.as_bytes().as_slice())
            .fetch_optional(&self.readers)
            .await
            .map_err(unavailable)?;
        Ok(used.is_some())
    }

    async fn find_credential(&self, issuer: &IssuerId, digest: Sha256) -> Result<Option<StoredCredential>, StoreError> {
        let row = sqlx::query(credentials_where!("digest = $2"))
            .bind(issuer.as_str())
            .bind(digest.as_bytes().as_slice())
            .fetch_optional(&self.readers)
            .await
            .map_err(unavailable)?;
        row.as_ref().map(read_credential).transpose()
    }

    async fn show_credential(
        &self,
        issuer: &IssuerId,
        id: CredentialId,
    ) -> Result<Option<StoredCredential>, StoreError> {
        let row = sqlx::query(credentials_where!("id = $2"))
            .bind(issuer.as_str())
            .bind(id.to_string())
            .fetch_optional(&self.readers)
            .await
            .map_err(unavailable)?;
        row.as_ref().map(read_credential).transpose()
    }

    async fn list_credentials(
        &self,
        issuer: &IssuerId,
        filter: &CredentialFilter,
    ) -> Result<Vec<StoredCredential>, StoreError> {
        let rows = sqlx::query(credentials_where!(
            "(cast($2 as text) is null or user_name = $2) \
             and (cast($3 as bigint) is null or (revoked_at is null and expires_at > $3)) \
             and id > $4 order by id limit $5"
        ))
        .bind(issuer.as_str())
        .bind(&filter.user)
        .bind(filter.active_at.map(Moment::unix))
        .bind(filter.after.map(|id| id.to_string()).unwrap_or_default())
        .bind(filter.limit.map_or(i64::MAX, i64::from))
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)?;
        rows.iter().map(read_credential).collect()
    }

    async fn revoke_credential(
        &self,
        issuer: &IssuerId,
        id: CredentialId,
        event: &EventRow,
        now: Moment,
    ) -> Result<bool, StoreError> {
        let revoked = self
            .writer()
            .change((issuer.clone(), event.clone()), move |connection, (issuer, event)| {
                Box::pin(async move {
                    let revoked = revoke_where(
                        connection,
                        issuer,
                        RevocationCause::Credential(id),
                        RevocationReason::CredentialRevoked,
                        now,
                    )
                    .await?;
                    if revoked > 0 {
                        insert_event(connection, issuer, event).await?;
                    }
                    Ok(revoked > 0)
                })
            })
            .await?;
        Ok(revoked || self.show_credential(issuer, id).await?.is_some())
    }

    async fn revoke_id_token(
        &self,
        issuer: &IssuerId,
        token: &RevokedToken,
        event: &EventRow,
        now: Moment,
    ) -> Result<(), StoreError> {
        self.writer()
            .change((issuer.clone(), token.clone(), event.clone()), move |connection, (issuer, token, event)| {
                Box::pin(revoke(connection, issuer, token, event, now))
            })
            .await
    }

    async fn find_id_token(&self, issuer: &IssuerId, id: IdTokenId) -> Result<Option<StoredIdToken>, StoreError> {
        let row = sqlx::query(
            "select id, provider, entitlement, user_name, header, claims, received_at from oidc_id_tokens \
             where issuer = $1 and id = $2",
        )
        .bind(issuer.as_str())
        .bind(id.to_string())
        .fetch_optional(&self.readers)
        .await
        .map_err(unavailable)?;
        row.as_ref().map(read_id_token).transpose()
    }

    async fn list_id_tokens(&self, issuer: &IssuerId, user: &str) -> Result<Vec<StoredIdToken>, StoreError> {
        let rows = sqlx::query(
            "select id, provider, entitlement, user_name, header, claims, received_at from oidc_id_tokens \
             where issuer = $1 and user_name = $2 order by received_at desc, id desc limit 1000",
        )
        .bind(issuer.as_str())
        .bind(user)
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)?;
        rows.iter().map(read_id_token).collect()
    }

    async fn delete_used_tokens(&self, issuer: &IssuerId, before: Moment) -> Result<u64, StoreError> {
        self.writer()
            .change(issuer.clone(), move |connection, issuer| {
                Box::pin(async move {
                    let done = sqlx::query(DELETE_USED)
                        .bind(issuer.as_str())
                        .bind(before.unix())
                        .bind(DELETED_AT_ONCE)
                        .execute(connection)
                        .await
                        .map_err(unavailable)?;
                    Ok(done.rows_affected())
                })
            })
            .await
    }
}
