//! Signing keys in SQLite. Holds private halves sealed, never open.

use async_trait::async_trait;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use super::fault::unavailable;
use super::fields::{Fields, stored_count};
use crate::base::{IssuerId, Moment, Seconds};
use crate::store::{KeyRow, KeyRows, Keys, StoreError};

#[async_trait]
impl Keys for SqliteStore {
    async fn read_keys(&self, issuer: &IssuerId) -> Result<KeyRows, StoreError> {
        // One statement sees one state: a version never comes with the rows of another.
        let rows = sqlx::query(
            "select v.version, k.kid, k.alg, k.sealed, k.kek, k.announced_at, k.signs_from, k.revoked_at, \
                    k.revoked_reason, k.jwks_max_age, k.max_lifetime \
             from signing_key_versions as v left join signing_keys as k on k.issuer = v.issuer \
             where v.issuer = ? order by k.announced_at, k.kid",
        )
        .bind(issuer.as_str())
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)?;
        let mut keys = KeyRows { version: 0, rows: Vec::with_capacity(rows.len()) };
        for row in &rows {
            let (version, key) = read_key(row)?;
            keys.version = version;
            keys.rows.extend(key);
        }
        Ok(keys)
    }

    async fn advance_keys(&self, issuer: &IssuerId, expected: u64, rows: &[KeyRow]) -> Result<bool, StoreError> {
        let (issuer, rows) = (issuer.clone(), rows.to_vec());
        let written = self
            .writer
            .act(move |connection| {
                Box::pin(async move {
                    if !advance_version(connection, &issuer, expected).await? {
                        return Ok(Err(()));
                    }
                    for row in &rows {
                        write_key(connection, &issuer, row).await?;
                    }
                    Ok(Ok(()))
                })
            })
            .await?;
        Ok(written.is_ok())
    }
}

fn read_key(row: &SqliteRow) -> Result<(u64, Option<KeyRow>), StoreError> {
    let mut fields = Fields::of(row, "signing_key_versions");
    let version = fields.count("version")?;
    fields.continue_with("signing_keys");
    let Some(kid) = fields.optional_text("kid")? else { return Ok((version, None)) };
    let key = KeyRow {
        kid,
        alg: fields.parsed("alg")?,
        sealed: fields.optional_bytes("sealed")?,
        kek: fields.optional_text("kek")?,
        announced_at: fields.moment("announced_at")?,
        signs_from: fields.moment("signs_from")?,
        revoked_at: fields.optional_moment("revoked_at")?,
        revoked_reason: fields.optional_text("revoked_reason")?,
        jwks_max_age: Seconds::new(fields.count("jwks_max_age")?),
        max_lifetime: Seconds::new(fields.count("max_lifetime")?),
    };
    Ok((version, Some(key)))
}

/// Takes the next version if the one that stands is `expected`.
async fn advance_version(
    connection: &mut SqliteConnection,
    issuer: &IssuerId,
    expected: u64,
) -> Result<bool, StoreError> {
    sqlx::query("insert into signing_key_versions (issuer, version) values (?, 0) on conflict (issuer) do nothing")
        .bind(issuer.as_str())
        .execute(&mut *connection)
        .await
        .map_err(unavailable)?;
    let done = sqlx::query("update signing_key_versions set version = version + 1 where issuer = ? and version = ?")
        .bind(issuer.as_str())
        .bind(stored_count(expected))
        .execute(connection)
        .await
        .map_err(unavailable)?;
    Ok(done.rows_affected() == 1)
}

async fn write_key(connection: &mut SqliteConnection, issuer: &IssuerId, row: &KeyRow) -> Result<(), StoreError> {
    sqlx::query(
        "insert into signing_keys (issuer, kid, alg, sealed, kek, announced_at, signs_from, revoked_at, \
         revoked_reason, jwks_max_age, max_lifetime) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         on conflict (issuer, kid) do update set alg = excluded.alg, sealed = excluded.sealed, kek = excluded.kek, \
         announced_at = excluded.announced_at, signs_from = excluded.signs_from, revoked_at = excluded.revoked_at, \
         revoked_reason = excluded.revoked_reason, jwks_max_age = excluded.jwks_max_age, \
         max_lifetime = excluded.max_lifetime",
    )
    .bind(issuer.as_str())
    .bind(&row.kid)
    .bind(row.alg.name())
    .bind(row.sealed.as_deref())
    .bind(&row.kek)
    .bind(row.announced_at.unix())
    .bind(row.signs_from.unix())
    .bind(row.revoked_at.map(Moment::unix))
    .bind(&row.revoked_reason)
    .bind(stored_count(row.jwks_max_age.get()))
    .bind(stored_count(row.max_lifetime.get()))
    .execute(connection)
    .await
    .map_err(unavailable)?;
    Ok(())
}
