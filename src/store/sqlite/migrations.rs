//! Migrates the schema of a SQLite file with migrations that are embedded in this program. All migrations run in one
//! transaction that holds the write lock; a schema that is newer than this program is never changed.

use sqlx::{Connection, SqliteConnection};

use super::fault::unavailable;
use crate::store::StoreError;
use crate::store::migrations::{MigrationReport, Migrations};

/// Migrations as version, name and SQL text, lowest version first. A released migration is never edited.
const MIGRATIONS: Migrations<6> = Migrations([
    (1, "issuing", include_str!("../../../migrations/sqlite/0001_issuing.sql")),
    (2, "key_life", include_str!("../../../migrations/sqlite/0002_key_life.sql")),
    (3, "shared", include_str!("../../../migrations/sqlite/0003_shared.sql")),
    (4, "identities", include_str!("../../../migrations/sqlite/0004_identities.sql")),
    (5, "exchange", include_str!("../../../migrations/sqlite/0005_exchange.sql")),
    (6, "plain_words", include_str!("../../../migrations/sqlite/0006_plain_words.sql")),
]);

/// Migrates the schema of the file that `connection` is open on.
///
/// # Errors
/// [`StoreError::Schema`] if the schema is newer than this program, or was changed by hand.
pub(super) async fn migrate(connection: &mut SqliteConnection) -> Result<MigrationReport, StoreError> {
    // If two processes start at once, the second process waits for the lock and then has nothing to migrate.
    let mut transaction = connection.begin_with("begin immediate").await.map_err(unavailable)?;
    let before = version(&mut transaction).await?;
    // `run_direct`, since `run` has a lifetime bound that a spawned future cannot meet.
    let migrated = MIGRATIONS.migrator().run_direct(None, &mut *transaction, false).await;
    migrated.map_err(|error| MIGRATIONS.refusal(error, schema_mismatch))?;
    let after = version(&mut transaction).await?;
    transaction.commit().await.map_err(unavailable)?;
    Ok(MIGRATIONS.report(before, after))
}

/// Converts an error of a migration to an error of the store: a table that exists before its migration belongs to
/// another program.
fn schema_mismatch(error: sqlx::Error) -> StoreError {
    if super::fault::is_schema_mismatch(&error) {
        return StoreError::Schema(format!("the file holds tables that are not ours ({error}): choose another file"));
    }
    unavailable(error)
}

/// Returns the highest version of an applied migration; 0 if no migration was applied.
async fn version(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    let known: i64 = sqlx::query_scalar("select count(*) from sqlite_schema where name = '_sqlx_migrations'")
        .fetch_one(&mut *connection)
        .await
        .map_err(unavailable)?;
    if known == 0 {
        return Ok(0);
    }
    sqlx::query_scalar("select coalesce(max(version), 0) from _sqlx_migrations")
        .fetch_one(connection)
        .await
        .map_err(unavailable)
}
