//! Reads and writes rows of signing keys. The database holds private keys only sealed.

use std::sync::Arc;

use super::Backend;
use super::credential_revocation::{RevocationCause, revoke_where};
use super::driver::{DbConnection, DbRow};
use super::fault::unavailable;
use super::fields::{Fields, stored_count, stored_json};
use crate::base::{IssuerId, Moment, Seconds};
use crate::store::{
    AdoptedRow, KeyChange, KeyPoll, KeyRow, KeyRows, KeyTimes, Keys, RevocationReason, SealedText, ServerSettings,
    Still, StoreError, TimeNote,
};
use async_trait::async_trait;

/// Number of attempts to read all rows at one version. Keys change so seldom that the first attempt nearly always
/// succeeds.
const READ_ATTEMPTS: usize = 5;

#[async_trait]
impl Keys for Backend {
    async fn read_keys(&self, issuer: &IssuerId) -> Result<KeyRows, StoreError> {
        // If the version is the same before and after reading the rows, no change came in between.
        for _ in 0..READ_ATTEMPTS {
            let Some(mut keys) = self.read_set(issuer).await? else { return Ok(KeyRows::default()) };
            self.read_rows(issuer, &mut keys).await?;
            if self.read_set(issuer).await?.is_some_and(|set| set.version == keys.version) {
                return Ok(keys);
            }
        }
        Err(StoreError::Unavailable("the signing keys changed during every attempt to read them: retry".to_owned()))
    }

    async fn key_poll(&self, issuer: &IssuerId) -> Result<KeyPoll, StoreError> {
        let row = self.read_key_poll(issuer).await?;
        let fields = Fields::of(&row, "key_sets");
        Ok(KeyPoll {
            version: fields.count("version")?,
            latest_seen: fields.optional_moment("latest_seen")?,
            server_millis: fields.optional_count("server_millis")?.and_then(|millis| self.read_clock(millis)),
        })
    }

    async fn advance_keys(
        &self,
        issuer: &IssuerId,
        expected: u64,
        change: &KeyChange,
        still: &Still,
    ) -> Result<bool, StoreError> {
        let written = self
            .writer()
            .act((issuer.clone(), change.clone(), Arc::clone(still)), move |connection, (issuer, change, still)| {
                Box::pin(async move {
                    if !advance_version(connection, issuer, expected).await? {
                        return Ok(Err(()));
                    }
                    write_set(connection, issuer, change).await?;
                    for row in &change.rows {
                        write_key(connection, issuer, row).await?;
                    }
                    for (row, at) in change.rows.iter().filter_map(|row| row.revoked_at.map(|at| (row, at))) {
                        let reason = RevocationReason::SigningKeyRevoked;
                        revoke_where(connection, issuer, RevocationCause::SigningKey(&row.kid), reason, at).await?;
                    }
                    for row in &change.adopted {
                        write_adopted(connection, issuer, row).await?;
                    }
                    if let Some(server_settings) = &change.server_settings {
                        write_server_settings(connection, issuer, server_settings).await?;
                    }
                    Ok(if still() { Ok(()) } else { Err(()) })
                })
            })
            .await?;
        Ok(written.is_ok())
    }

    async fn note_time(&self, issuer: &IssuerId, note: TimeNote) -> Result<(), StoreError> {
        self.writer()
            .change((issuer.clone(), note), move |connection, (issuer, note)| {
                Box::pin(write_note(connection, issuer, note))
            })
            .await
    }
}

async fn write_note(connection: &mut DbConnection, issuer: &IssuerId, note: &TimeNote) -> Result<(), StoreError> {
    let erasable_before = note.erasable_before.map(Moment::unix);
    sqlx::query(
        "update key_sets set latest_seen = case when latest_seen > $2 then latest_seen else $2 end, \
         erasable_before = coalesce($3, erasable_before) where issuer = $1",
    )
    .bind(issuer.as_str())
    .bind(note.now.unix())
    .bind(erasable_before)
    .execute(&mut *connection)
    .await
    .map_err(unavailable)?;
    sqlx::query("update server_settings set stored_at = $3 where issuer = $1 and server = $2 and stored_at < $3")
        .bind(issuer.as_str())
        .bind(&note.server)
        .bind(note.now.unix())
        .execute(&mut *connection)
        .await
        .map_err(unavailable)?;
    // Settings are kept one day (86400 s) longer, so that the settings of a server that is slow to report are not
    // deleted.
    sqlx::query("delete from server_settings where issuer = $1 and stored_at + announce_for + 86400 < $2")
        .bind(issuer.as_str())
        .bind(erasable_before)
        .execute(connection)
        .await
        .map_err(unavailable)?;
    Ok(())
}

impl Backend {
    async fn read_set(&self, issuer: &IssuerId) -> Result<Option<KeyRows>, StoreError> {
        let set = sqlx::query(
            "select version, algorithms, latest_seen, takeover, takeover_kek from key_sets where issuer = $1",
        )
        .bind(issuer.as_str())
        .fetch_optional(&self.readers)
        .await
        .map_err(unavailable)?;
        set.as_ref().map(read_set).transpose()
    }

    async fn read_rows(&self, issuer: &IssuerId, keys: &mut KeyRows) -> Result<(), StoreError> {
        let rows = sqlx::query(
            "select kid, alg, sealed, kek, announced_at, signs_from, ends_at, revoked_at, revoked_reason, \
                    jwks_max_age, max_lifetime \
             from signing_keys where issuer = $1 order by kid",
        )
        .bind(issuer.as_str())
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)?;
        keys.rows = rows.iter().map(read_key).collect::<Result<_, _>>()?;
        let adopted = sqlx::query(
            "select kid, sealed, kek, revoked_at, revoked_reason from adopted_keys where issuer = $1 order by kid",
        )
        .bind(issuer.as_str())
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)?;
        keys.adopted = adopted.iter().map(read_adopted).collect::<Result<_, _>>()?;
        let server_settings = sqlx::query(
            "select server, announce_for, jwks_max_age, max_lifetime, stored_at from server_settings \
             where issuer = $1 order by server",
        )
        .bind(issuer.as_str())
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)?;
        keys.server_settings = server_settings.iter().map(read_server_settings).collect::<Result<_, _>>()?;
        Ok(())
    }
}

fn read_set(row: &DbRow) -> Result<KeyRows, StoreError> {
    let fields = Fields::of(row, "key_sets");
    let version = fields.count("version")?;
    let algorithms = fields.optional_json("algorithms")?.unwrap_or_default();
    let latest_seen = fields.optional_moment("latest_seen")?;
    let takeover = fields.optional_bytes("takeover")?.zip(fields.optional_text("takeover_kek")?);
    let takeover = takeover.map(|(sealed, kek)| SealedText { sealed, kek });
    Ok(KeyRows {
        version,
        algorithms,
        latest_seen,
        server_settings: Vec::new(),
        takeover,
        rows: Vec::new(),
        adopted: Vec::new(),
    })
}

fn read_server_settings(row: &DbRow) -> Result<ServerSettings, StoreError> {
    let fields = Fields::of(row, "server_settings");
    Ok(ServerSettings {
        server: fields.text("server")?,
        announce_for: Seconds::new(fields.count("announce_for")?),
        jwks_max_age: Seconds::new(fields.count("jwks_max_age")?),
        max_lifetime: Seconds::new(fields.count("max_lifetime")?),
        stored_at: fields.moment("stored_at")?,
    })
}

fn read_key(row: &DbRow) -> Result<KeyRow, StoreError> {
    let fields = Fields::of(row, "signing_keys");
    Ok(KeyRow {
        kid: fields.text("kid")?,
        alg: fields.parsed("alg")?,
        sealed: fields.optional_bytes("sealed")?,
        kek: fields.optional_text("kek")?,
        times: fields
            .optional_moment("announced_at")?
            .zip(fields.optional_moment("signs_from")?)
            .map(|(announced_at, signs_from)| KeyTimes { announced_at, signs_from }),
        ends_at: fields.optional_moment("ends_at")?,
        revoked_at: fields.optional_moment("revoked_at")?,
        revoked_reason: fields.optional_text("revoked_reason")?,
        jwks_max_age: Seconds::new(fields.count("jwks_max_age")?),
        max_lifetime: Seconds::new(fields.count("max_lifetime")?),
    })
}

fn read_adopted(row: &DbRow) -> Result<AdoptedRow, StoreError> {
    let fields = Fields::of(row, "adopted_keys");
    Ok(AdoptedRow {
        kid: fields.text("kid")?,
        sealed: fields.bytes("sealed")?,
        kek: fields.text("kek")?,
        revoked_at: fields.optional_moment("revoked_at")?,
        revoked_reason: fields.optional_text("revoked_reason")?,
    })
}

/// Increments the version of the keys if the version is still `expected`. Returns whether the version was incremented.
async fn advance_version(connection: &mut DbConnection, issuer: &IssuerId, expected: u64) -> Result<bool, StoreError> {
    sqlx::query("insert into key_sets (issuer, version) values ($1, 0) on conflict (issuer) do nothing")
        .bind(issuer.as_str())
        .execute(&mut *connection)
        .await
        .map_err(unavailable)?;
    let done = sqlx::query("update key_sets set version = version + 1 where issuer = $1 and version = $2")
        .bind(issuer.as_str())
        .bind(stored_count(expected))
        .execute(connection)
        .await
        .map_err(unavailable)?;
    Ok(done.rows_affected() == 1)
}

async fn write_set(connection: &mut DbConnection, issuer: &IssuerId, change: &KeyChange) -> Result<(), StoreError> {
    let algorithms = change.algorithms.as_ref().map(stored_json).transpose()?;
    sqlx::query(
        "update key_sets set algorithms = coalesce($2, algorithms), latest_seen = coalesce($3, latest_seen), \
         takeover = coalesce($4, takeover), takeover_kek = coalesce($5, takeover_kek) where issuer = $1",
    )
    .bind(issuer.as_str())
    .bind(algorithms)
    .bind(change.latest_seen.map(Moment::unix))
    .bind(change.takeover.as_ref().map(|text| text.sealed.as_slice()))
    .bind(change.takeover.as_ref().map(|text| text.kek.as_str()))
    .execute(connection)
    .await
    .map_err(unavailable)?;
    Ok(())
}

async fn write_key(connection: &mut DbConnection, issuer: &IssuerId, row: &KeyRow) -> Result<(), StoreError> {
    sqlx::query(
        "insert into signing_keys (issuer, kid, alg, sealed, kek, announced_at, signs_from, ends_at, revoked_at, \
         revoked_reason, jwks_max_age, max_lifetime) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
         on conflict (issuer, kid) do update set alg = excluded.alg, sealed = excluded.sealed, kek = excluded.kek, \
         announced_at = excluded.announced_at, signs_from = excluded.signs_from, ends_at = excluded.ends_at, \
         revoked_at = excluded.revoked_at, revoked_reason = excluded.revoked_reason, \
         jwks_max_age = excluded.jwks_max_age, max_lifetime = excluded.max_lifetime",
    )
    .bind(issuer.as_str())
    .bind(&row.kid)
    .bind(row.alg.name())
    .bind(row.sealed.as_deref())
    .bind(&row.kek)
    .bind(row.times.map(|times| times.announced_at.unix()))
    .bind(row.times.map(|times| times.signs_from.unix()))
    .bind(row.ends_at.map(Moment::unix))
    .bind(row.revoked_at.map(Moment::unix))
    .bind(&row.revoked_reason)
    .bind(stored_count(row.jwks_max_age.get()))
    .bind(stored_count(row.max_lifetime.get()))
    .execute(connection)
    .await
    .map_err(unavailable)?;
    Ok(())
}

async fn write_server_settings(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    server_settings: &ServerSettings,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into server_settings (issuer, server, announce_for, jwks_max_age, max_lifetime, stored_at) \
         values ($1, $2, $3, $4, $5, $6) on conflict (issuer, server) do update set announce_for = excluded.announce_for, \
         jwks_max_age = excluded.jwks_max_age, max_lifetime = excluded.max_lifetime, \
         stored_at = excluded.stored_at",
    )
    .bind(issuer.as_str())
    .bind(&server_settings.server)
    .bind(stored_count(server_settings.announce_for.get()))
    .bind(stored_count(server_settings.jwks_max_age.get()))
    .bind(stored_count(server_settings.max_lifetime.get()))
    .bind(server_settings.stored_at.unix())
    .execute(connection)
    .await
    .map_err(unavailable)?;
    Ok(())
}

async fn write_adopted(connection: &mut DbConnection, issuer: &IssuerId, row: &AdoptedRow) -> Result<(), StoreError> {
    sqlx::query(
        "insert into adopted_keys (issuer, kid, sealed, kek, revoked_at, revoked_reason) values ($1, $2, $3, $4, $5, $6) \
         on conflict (issuer, kid) do update set sealed = excluded.sealed, kek = excluded.kek, \
         revoked_at = excluded.revoked_at, revoked_reason = excluded.revoked_reason",
    )
    .bind(issuer.as_str())
    .bind(&row.kid)
    .bind(&row.sealed)
    .bind(&row.kek)
    .bind(row.revoked_at.map(Moment::unix))
    .bind(&row.revoked_reason)
    .execute(connection)
    .await
    .map_err(unavailable)?;
    Ok(())
}
