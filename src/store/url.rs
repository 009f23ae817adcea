//! Location of a store: a SQLite file or a PostgreSQL database. Opens or migrates the store that is there.

use std::path::PathBuf;
use std::sync::Arc;

use super::postgres::{PostgresOptions, PostgresStore};
use super::sqlite::{SqliteOptions, SqliteStore};
use super::{InFlight, MigrationReport, Store, StoreError, StoreWaits};

/// Location of a store, as the configuration names it.
#[derive(Debug, Clone)]
pub enum StoreUrl {
    /// PostgreSQL database, which any number of servers can share.
    Postgres(PostgresOptions),
    /// Path of a SQLite file, which one server uses.
    Sqlite(PathBuf),
}

impl StoreUrl {
    /// Opens the store and migrates its schema; a missing SQLite file is created. `pending` counts tokens that are
    /// being signed; `waits` limits each wait for the database.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open(&self, pending: InFlight, waits: StoreWaits) -> Result<Arc<dyn Store>, StoreError> {
        Ok(match self {
            Self::Postgres(options) => {
                let options = PostgresOptions { waits, ..options.clone() };
                Arc::new(PostgresStore::open(options, pending).await?)
            }
            Self::Sqlite(path) => {
                Arc::new(SqliteStore::open(path, SqliteOptions { pending, waits, ..SqliteOptions::default() }).await?)
            }
        })
    }

    /// Migrates the schema of the store, and does nothing else. `waits` limits each wait for the database, except the
    /// wait for another migration and the migration itself.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn migrate(&self, waits: StoreWaits) -> Result<MigrationReport, StoreError> {
        match self {
            Self::Postgres(options) => PostgresStore::migrate(PostgresOptions { waits, ..options.clone() }).await,
            Self::Sqlite(path) => SqliteStore::migrate(path).await,
        }
    }

    /// Returns whether the store may hold data: `false` if its SQLite file is missing. A command that only reads then
    /// does not create the file.
    #[must_use]
    pub fn may_exist(&self) -> bool {
        match self {
            Self::Postgres(_) => true,
            Self::Sqlite(path) => path.exists(),
        }
    }
}
