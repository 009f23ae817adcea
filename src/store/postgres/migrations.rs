//! Migrates the schema of a PostgreSQL database with migrations that are embedded in this program. Two processes never
//! migrate at the same time, and a schema that is newer than this program is never changed.

use sqlx::PgConnection;

use super::connection::Connector;
use super::fault::unavailable;
use super::session::close;
use crate::store::StoreError;
use crate::store::migrations::{MigrationReport, Migrations};

/// Migrations as version, name and SQL text, lowest version first. A released migration is never edited.
const MIGRATIONS: Migrations<6> = Migrations([
    (1, "issuing", include_str!("../../../migrations/postgres/0001_issuing.sql")),
    (2, "key_life", include_str!("../../../migrations/postgres/0002_key_life.sql")),
    (3, "shared", include_str!("../../../migrations/postgres/0003_shared.sql")),
    (4, "identities", include_str!("../../../migrations/postgres/0004_identities.sql")),
    (5, "exchange", include_str!("../../../migrations/postgres/0005_exchange.sql")),
    (6, "plain_words", include_str!("../../../migrations/postgres/0006_plain_words.sql")),
]);

/// Key of the advisory lock that is held during a migration; no other program locks this number in the database.
const LOCK: i64 = 0x6275_696c_6470_6173;

/// Migrates the schema in a session of its own; the end of the session releases the advisory lock whatever happens.
pub(super) async fn migrate(connector: &Connector) -> Result<MigrationReport, StoreError> {
    let mut connection = connector.connect().await?;
    let report = migrate_locked(&mut connection).await;
    close(connection).await;
    report
}

async fn migrate_locked(connection: &mut PgConnection) -> Result<MigrationReport, StoreError> {
    // The server's lock_timeout limits the wait for the lock.
    sqlx::query("select pg_advisory_lock($1)").bind(LOCK).execute(&mut *connection).await.map_err(|error| {
        match unavailable(error) {
            StoreError::Unavailable(text) => StoreError::Unavailable(format!("waiting for another migration: {text}")),
            other => other,
        }
    })?;
    let before = version(connection).await?;
    let migrator = MIGRATIONS.migrator();
    migrator.run_direct(None, &mut *connection, false).await.map_err(|error| MIGRATIONS.refusal(error, unavailable))?;
    let after = version(connection).await?;
    Ok(MIGRATIONS.report(before, after))
}

/// Returns the highest version of an applied migration; 0 if no migration was applied.
async fn version(connection: &mut PgConnection) -> Result<i64, StoreError> {
    let known: Option<String> = sqlx::query_scalar("select cast(to_regclass('_sqlx_migrations') as text)")
        .fetch_one(&mut *connection)
        .await
        .map_err(unavailable)?;
    if known.is_none() {
        return Ok(0);
    }
    sqlx::query_scalar("select coalesce(max(version), 0) from _sqlx_migrations")
        .fetch_one(connection)
        .await
        .map_err(unavailable)
}
