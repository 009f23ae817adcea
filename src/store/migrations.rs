//! Migrations of a database schema: the code that SQLite and PostgreSQL share. A released migration is never edited,
//! and a migration has no time limit.

use std::collections::BTreeMap;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator};

use super::error::StoreError;

/// Name of the table in which the driver records the applied migrations.
pub(super) const APPLIED: &str = "_sqlx_migrations";

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

/// One migration that a database lacks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    pub(super) version: i64,
    pub(super) name: &'static str,
    pub(super) sql: &'static str,
}

/// Formats the migration for log lines: `migration 3 (shared)`.
impl std::fmt::Display for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "migration {} ({})", self.version, self.name)
    }
}

impl<const N: usize> Migrations<N> {
    fn migrator(&self) -> Migrator {
        let migrations = self.0.into_iter().map(|(version, name, sql)| {
            Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
        });
        let mut migrator = Migrator::with_migrations(migrations.collect());
        // The driver's lock is turned off: our own lock is held, whose holder the log can name.
        migrator.set_locking(false);
        migrator
    }

    /// Returns the migrations that the database lacks, lowest version first. `is_new` means that no migration was ever
    /// applied. Only reads, so that a server can start on a current schema even if its database user may not create
    /// tables.
    ///
    /// # Errors
    /// The driver's error, if the schema is newer than this program or was made by another build.
    pub(super) async fn pending<C: Migrate>(
        &self,
        connection: &mut C,
        is_new: bool,
    ) -> Result<Vec<Pending>, MigrateError> {
        let mut applied = BTreeMap::new();
        if !is_new {
            if let Some(version) = connection.dirty_version(APPLIED).await? {
                return Err(MigrateError::Dirty(version));
            }
            applied.extend(
                connection.list_applied_migrations(APPLIED).await?.into_iter().map(|m| (m.version, m.checksum)),
            );
        }
        let mut pending = Vec::new();
        for (migration, (version, name, sql)) in self.migrator().iter().zip(self.0) {
            match applied.remove(&version) {
                None => pending.push(Pending { version, name, sql }),
                Some(checksum) if checksum != migration.checksum => return Err(MigrateError::VersionMismatch(version)),
                Some(_) => {}
            }
        }
        match applied.pop_first() {
            Some((unknown, _)) => Err(MigrateError::VersionMissing(unknown)),
            None => Ok(pending),
        }
    }

    /// Applies one migration, in a transaction of its own.
    pub(super) async fn apply<C: Migrate>(&self, connection: &mut C, next: &Pending) -> Result<(), MigrateError> {
        self.migrator().run_direct(Some(next.version), connection, false).await
    }

    /// Returns the report on a migrated database. `applied` holds the migrations that the database lacked before.
    pub(super) fn report(&self, applied: &[Pending]) -> MigrationReport {
        let number = |version: i64| u32::try_from(version).unwrap_or(u32::MAX);
        let after = self.0.last().map_or(0, |(version, ..)| *version);
        let before = self.0.iter().filter(|(version, ..)| applied.iter().all(|lacking| lacking.version != *version));
        MigrationReport {
            before: number(before.map(|(version, ..)| *version).max().unwrap_or(0)),
            after: number(after),
            applied: applied.iter().map(|lacking| lacking.name.to_owned()).collect(),
        }
    }

    /// Returns the error that says why the schema cannot be migrated.
    pub(super) fn refusal(&self, error: MigrateError, fault: fn(sqlx::Error) -> StoreError) -> StoreError {
        let newest = self.0.last().map_or(0, |(version, ..)| *version);
        let at = |version: i64, error| {
            let name = self.0.iter().find(|(known, ..)| *known == version).map_or("", |(_, name, _)| *name);
            match fault(error) {
                StoreError::Schema(text) => {
                    StoreError::Schema(format!("migration {version} ({name}) does not fit this database: {text}"))
                }
                StoreError::Unavailable(text) => {
                    StoreError::Unavailable(format!("migration {version} ({name}) failed: {text}"))
                }
                other => other,
            }
        };
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
            MigrateError::ExecuteMigration(error, version) => return at(version, error),
            other => other.to_string(),
        })
    }
}
