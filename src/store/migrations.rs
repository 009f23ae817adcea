//! Migrations of a database schema: the code that SQLite and PostgreSQL share. A released migration is never edited.

use sqlx::SqlSafeStr;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

use super::error::StoreError;

/// Result of migrating a database schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationReport {
    /// Version of the schema before the migration; 0 for a new database.
    pub before: u32,
    /// Version of the schema after the migration.
    pub after: u32,
    /// Names of the migrations that were applied, in the order of their versions.
    pub applied: Vec<String>,
}

/// Migrations of one kind of database, each as version, name and SQL text, lowest version first.
pub(super) struct Migrations<const N: usize>(pub(super) [(i64, &'static str, &'static str); N]);

impl<const N: usize> Migrations<N> {
    pub(super) fn migrator(&self) -> Migrator {
        let migrations = self.0.into_iter().map(|(version, name, sql)| {
            Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
        });
        Migrator::with_migrations(migrations.collect())
    }

    pub(super) fn report(&self, before: i64, after: i64) -> MigrationReport {
        let number = |version: i64| u32::try_from(version).unwrap_or(u32::MAX);
        let applied = self.0.iter().filter(|(version, ..)| *version > before).map(|(_, name, _)| (*name).to_owned());
        MigrationReport { before: number(before), after: number(after), applied: applied.collect() }
    }

    /// Returns the error that says why the schema cannot be migrated.
    pub(super) fn refusal(&self, error: MigrateError, fault: fn(sqlx::Error) -> StoreError) -> StoreError {
        let newest = self.0.last().map_or(0, |(version, ..)| *version);
        StoreError::Schema(match error {
            MigrateError::VersionMissing(version) => format!(
                "it is newer than this program (migration {version} was applied, this program knows up to {newest}): \
                 run the newer program"
            ),
            MigrateError::VersionMismatch(version) => {
                format!(
                    "migration {version} was applied with another text: the database was created by another build of this program"
                )
            }
            MigrateError::Dirty(version) => {
                format!("migration {version} was applied in part: restore the database from a backup")
            }
            MigrateError::Execute(error) => return fault(error),
            MigrateError::ExecuteMigration(error, version) => match fault(error) {
                StoreError::Schema(text) => format!("migration {version} does not fit: {text}"),
                other => return other,
            },
            other => other.to_string(),
        })
    }
}
