//! Reads and writes request tokens and worker tokens. The database never holds a token's text, only the text's digest.

use std::sync::Arc;
use std::time::Duration;

use super::Backend;
use super::driver::{DbConnection, DbRow};
use super::fault::unavailable;
use super::fields::{Fields, stored_count, stored_json};
use super::rows::{build_columns, client_columns, read_build, read_client};
use super::statements::RUNNING_UNTIL;
use crate::base::{BuildId, IssuerId, Moment, RequestTokenId, Sha256};
use crate::store::{
    NewRequestToken, Outcome, RequestTokens, StoreError, StoredRequestToken, TokenBearer, TokenNotCreated,
};
use async_trait::async_trait;

/// Stores a request token or worker token of a build. The stored expiry is never after the build's deadline.
pub(super) async fn insert_token(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    build: BuildId,
    deadline: Moment,
    new: &NewRequestToken,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into request_tokens (issuer, id, build_id, kind, digest, step, audiences, expires_at, max_uses) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(issuer.as_str())
    .bind(new.id.to_string())
    .bind(build.to_string())
    .bind(<&str>::from(new.kind))
    .bind(new.digest.as_bytes().as_slice())
    .bind(new.step.as_ref().map(stored_json).transpose()?)
    .bind(new.audiences.as_ref().map(stored_json).transpose()?)
    .bind(new.expires_at.min(deadline).unix())
    .bind(new.max_uses.map(stored_count))
    .execute(connection)
    .await
    .map_err(unavailable)?;
    Ok(())
}

async fn living_step_tokens(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    build: BuildId,
    now: Moment,
) -> Result<u64, StoreError> {
    let count: i64 = sqlx::query_scalar(
        "select count(*) from request_tokens \
         where issuer = $1 and build_id = $2 and kind = 'step' and ended_at is null and expires_at > $3",
    )
    .bind(issuer.as_str())
    .bind(build.to_string())
    .bind(now.unix())
    .fetch_one(connection)
    .await
    .map_err(unavailable)?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// Erases the lists of audiences of a finished build's tokens, which may be large and which nothing reads any more. The
/// rows stay for the audit. An empty list allows no audience, so that erasing never allows more.
pub(super) async fn erase_audiences(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    build: BuildId,
) -> Result<(), StoreError> {
    sqlx::query(
        "update request_tokens set audiences = '[]' \
         where issuer = $1 and build_id = $2 and audiences is not null and audiences <> '[]'",
    )
    .bind(issuer.as_str())
    .bind(build.to_string())
    .execute(connection)
    .await
    .map_err(unavailable)?;
    Ok(())
}

fn read_token(row: &DbRow) -> Result<StoredRequestToken, StoreError> {
    let fields = Fields::joined(row, "request_tokens", "t_");
    Ok(StoredRequestToken {
        id: fields.parsed("id")?,
        kind: fields.parsed("kind")?,
        step: fields.optional_json("step")?,
        audiences: fields.optional_json("audiences")?,
        expires_at: fields.moment("expires_at")?,
        ended_at: fields.optional_moment("ended_at")?,
        max_uses: fields.optional_count("max_uses")?,
        uses: fields.count("uses")?,
    })
}

#[async_trait]
impl RequestTokens for Backend {
    async fn create_request_token(
        &self,
        issuer: &IssuerId,
        build: BuildId,
        new: &NewRequestToken,
        most_living: Option<u64>,
        now: Moment,
    ) -> Outcome<(), TokenNotCreated> {
        self.writer()
            .act((issuer.clone(), new.clone()), move |connection, (issuer, new)| {
                Box::pin(async move {
                    let deadline: Option<i64> = sqlx::query_scalar(RUNNING_UNTIL)
                        .bind(issuer.as_str())
                        .bind(build.to_string())
                        .bind(now.unix())
                        .fetch_optional(&mut *connection)
                        .await
                        .map_err(unavailable)?;
                    let Some(deadline) = deadline.map(Moment::from_unix) else {
                        return Ok(Err(TokenNotCreated::BuildNotRunning));
                    };
                    if let Some(most) = most_living
                        && living_step_tokens(connection, issuer, build, now).await? >= most
                    {
                        return Ok(Err(TokenNotCreated::TooMany));
                    }
                    insert_token(connection, issuer, build, deadline, new).await.map(Ok)
                })
            })
            .await
    }

    async fn end_request_token(
        &self,
        issuer: &IssuerId,
        build: BuildId,
        token: RequestTokenId,
        now: Moment,
    ) -> Result<bool, StoreError> {
        let revoked = self
            .writer()
            .change(issuer.clone(), move |connection, issuer| {
                Box::pin(async move {
                    let done = sqlx::query(
                        "update request_tokens set ended_at = coalesce(ended_at, $4), \
                         audiences = case when audiences is null then null else '[]' end \
                         where issuer = $1 and id = $2 and build_id = $3 and kind = 'step'",
                    )
                    .bind(issuer.as_str())
                    .bind(token.to_string())
                    .bind(build.to_string())
                    .bind(now.unix())
                    .execute(connection)
                    .await
                    .map_err(unavailable)?;
                    Ok(done.rows_affected() == 1)
                })
            })
            .await?;
        if revoked {
            self.request_token_cache.remove_token(token);
        }
        Ok(revoked)
    }

    async fn find_bearer(&self, issuer: &IssuerId, digest: Sha256) -> Result<Option<TokenBearer>, StoreError> {
        let row = sqlx::query(concat!(
            "select t.id as t_id, t.kind as t_kind, t.step as t_step, t.audiences as t_audiences, \
             t.expires_at as t_expires_at, t.ended_at as t_ended_at, t.max_uses as t_max_uses, t.uses as t_uses, ",
            build_columns!(),
            ", ",
            client_columns!(),
            " from request_tokens as t \
             join registrations as r on r.issuer = t.issuer and r.build_id = t.build_id \
             join builds as b on b.issuer = t.issuer and b.id = t.build_id \
             join clients as c on c.issuer = b.issuer and c.id = b.client_id \
             where t.issuer = $1 and t.digest = $2"
        ))
        .bind(issuer.as_str())
        .bind(digest.as_bytes().as_slice())
        .fetch_optional(&self.readers)
        .await
        .map_err(unavailable)?;
        let Some(row) = row else { return Ok(None) };
        let bearer = TokenBearer {
            token: read_token(&row)?,
            build: Arc::new(read_build(&row)?),
            client: Arc::new(read_client(&row)?),
        };
        self.request_token_cache.insert(issuer, digest, &bearer);
        Ok(Some(bearer))
    }

    fn cached_bearer(&self, issuer: &IssuerId, digest: Sha256) -> Option<Arc<TokenBearer>> {
        self.request_token_cache.get(issuer, digest)
    }

    fn bound_request_token_cache(&self, bytes: usize) {
        self.request_token_cache.bound(bytes);
    }

    fn age_request_token_cache(&self, now: Duration) {
        self.request_token_cache.age(now);
    }
}
