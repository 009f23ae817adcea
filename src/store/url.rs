//! Where a store is, whichever backend keeps it, and how it is opened.

use std::path::PathBuf;
use std::sync::Arc;

use super::postgres::{PostgresOptions, PostgresStore};
use super::sqlite::{SqliteOptions, SqliteStore};
use super::{InFlight, MigrationReport, Store, StoreError};

/// Where everything is remembered.
#[derive(Debug, Clone)]
pub enum StoreUrl {
    /// A database on a server, which any number of ours share.
    Postgres(PostgresOptions),
    /// One file, for one server.
    Sqlite(PathBuf),
}

impl StoreUrl {
    /// Opens it, made where a file is missing, with its schema brought up to date. `pending` counts tokens that are
    /// being signed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open(&self, pending: InFlight) -> Result<Arc<dyn Store>, StoreError> {
        Ok(match self {
            Self::Postgres(options) => Arc::new(PostgresStore::open(options.clone(), pending).await?),
            Self::Sqlite(path) => {
                Arc::new(SqliteStore::open(path, SqliteOptions { pending, ..SqliteOptions::default() }).await?)
            }
        })
    }

    /// Brings the schema up to date, and does nothing else.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn migrate(&self) -> Result<MigrationReport, StoreError> {
        match self {
            Self::Postgres(options) => PostgresStore::migrate(options.clone()).await,
            Self::Sqlite(path) => SqliteStore::migrate(path).await,
        }
    }

    /// Could there be anything to read? A file that is missing is not made by a command that only reads.
    #[must_use]
    pub fn may_exist(&self) -> bool {
        match self {
            Self::Postgres(_) => true,
            Self::Sqlite(path) => path.exists(),
        }
    }
}
