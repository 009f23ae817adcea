//! The schema, embedded. Never runs outside one transaction that holds the write lock, never touches a newer schema.

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{Connection, SqlSafeStr, SqliteConnection};

use super::fault::{is_misfit, unavailable};
use crate::store::StoreError;

/// Version, name and text, lowest version first. A migration that was ever released is never edited.
const MIGRATIONS: [(i64, &str, &str); 2] = [
    (1, "issuing", include_str!("../../../migrations/sqlite/0001_issuing.sql")),
    (2, "key_life", include_str!("../../../migrations/sqlite/0002_key_life.sql")),
];

/// What bringing a schema up to date did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationReport {
    /// The version found; 0 for a new file.
    pub before: u32,
    /// The version that stands now.
    pub after: u32,
    /// The names of the migrations that ran, in order.
    pub applied: Vec<String>,
}

/// Brings the schema up to date.
///
/// # Errors
/// [`StoreError::Schema`] where the schema is newer than this program, or was changed by hand.
pub(super) async fn migrate(connection: &mut SqliteConnection) -> Result<MigrationReport, StoreError> {
    // Two processes may start at once: the second waits for the lock, and then finds nothing to do.
    let mut transaction = connection.begin_with("begin immediate").await.map_err(unavailable)?;
    let before = version(&mut transaction).await?;
    // `run` would do, but its bound on lifetimes is one that a spawned future can't meet.
    migrator().run_direct(None, &mut *transaction, false).await.map_err(schema)?;
    let after = version(&mut transaction).await?;
    transaction.commit().await.map_err(unavailable)?;
    let applied = MIGRATIONS.iter().filter(|(version, ..)| *version > before).map(|(_, name, _)| (*name).to_owned());
    Ok(MigrationReport { before: shown(before), after: shown(after), applied: applied.collect() })
}

fn migrator() -> Migrator {
    let migrations = MIGRATIONS.into_iter().map(|(version, name, sql)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.collect())
}

/// The highest version that was applied; 0 where there is none.
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

fn shown(version: i64) -> u32 {
    u32::try_from(version).unwrap_or(u32::MAX)
}

fn schema(error: MigrateError) -> StoreError {
    let newest = MIGRATIONS.last().map_or(0, |(version, ..)| *version);
    StoreError::Schema(match error {
        MigrateError::VersionMissing(version) => format!(
            "it is newer than this program (migration {version} was applied, this program knows up to {newest}): \
             run the newer program"
        ),
        MigrateError::VersionMismatch(version) => {
            format!("migration {version} was applied with another text: the file was made by another build")
        }
        MigrateError::Dirty(version) => format!("migration {version} was applied in part"),
        MigrateError::ExecuteMigration(error, version) if is_misfit(&error) => {
            format!("migration {version} does not fit: the file holds tables that are not ours ({error})")
        }
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => return unavailable(error),
        other => other.to_string(),
    })
}
