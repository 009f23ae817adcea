//! The store in one SQLite file: one writing task and a pool of reading connections; other processes may use the file
//! too. Only the writing task writes, and no write is answered before it is on disk.

mod connection;
mod driver;
mod fault;
mod lock_holders;
mod migrations;
pub(in crate::store) mod moved_marker;
mod options;
#[cfg(test)]
mod plans;
mod statements;
mod transactions;

crate::store::sql_modules!();

use std::path::Path;

use async_trait::async_trait;
use sqlx::sqlite::SqlitePool;

pub use self::connection::Settings;
pub use self::options::SqliteOptions;

use self::connection::Connector;
use self::driver::DbRow;
use self::fault::unavailable;
use self::writer::Writer;
use super::migrations::MigrationReport;
use super::request_token_cache::RequestTokenCache;
use super::{Store, StoreError, StoreWaits};
use crate::base::IssuerId;

/// Name by which the shared files of `sql/` refer to this store's type.
type Backend = SqliteStore;

/// Store in one SQLite file, whose methods are those of [`Store`] and its supertraits.
#[derive(Debug)]
pub struct SqliteStore {
    connector: Connector,
    readers: SqlitePool,
    writer: Writer,
    request_token_cache: RequestTokenCache,
}

impl SqliteStore {
    /// Opens the file and migrates its schema. A missing file is created with mode 0600, a missing folder with mode
    /// 0700.
    ///
    /// Must be called within a Tokio runtime, which then runs the writing task.
    ///
    /// # Errors
    /// [`StoreError::Schema`] if the schema is newer than this program or belongs to another program,
    /// [`StoreError::Unavailable`] if the file cannot be opened or locked.
    pub async fn open(path: &Path, options: SqliteOptions) -> Result<Self, StoreError> {
        let connector = Connector::prepare(path, options.waits).await?;
        let mut connection = connector.connect().await?;
        migrations::migrate(&mut connection, &connector).await?;
        if let Some(moved_to) = moved_marker::moved_to(&mut connection).await? {
            connection::close(connection).await;
            return Err(StoreError::Moved(moved_to));
        }
        let readers = connector.readers(options.readers);
        let writer = Writer::start(connector.clone(), connection, options.pending, options.linger);
        Ok(Self { connector, readers, writer, request_token_cache: RequestTokenCache::default() })
    }

    /// Migrates the schema of the file, and does nothing else.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn migrate(path: &Path) -> Result<MigrationReport, StoreError> {
        let connector = Connector::prepare(path, StoreWaits::default()).await?;
        let mut connection = connector.connect().await?;
        let report = migrations::migrate(&mut connection, &connector).await;
        connection::close(connection).await;
        report
    }

    fn records(&self) -> &Writer {
        &self.writer
    }

    fn writer(&self) -> &Writer {
        &self.writer
    }

    async fn read_key_poll(&self, issuer: &IssuerId) -> Result<DbRow, StoreError> {
        let row = sqlx::query(statements::KEY_POLL).bind(issuer.as_str()).fetch_one(&self.readers).await;
        row.map_err(unavailable)
    }

    /// Returns `None`, since a file has no clock of its own.
    fn read_clock(&self, _millis: u64) -> Option<i64> {
        None
    }

    /// Reads the settings of the writing connection.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn settings(&self) -> Result<Settings, StoreError> {
        self.writer.change((), |connection, ()| Box::pin(connection::read_settings(connection))).await
    }

    /// Limits the file to `pages` pages (usually of 4 KiB each); `None` for no limit. A write that needs more pages
    /// fails with [`StoreError::Unavailable`].
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn limit_pages(&self, pages: Option<u32>) -> Result<(), StoreError> {
        self.connector.limit(pages);
        let connector = self.connector.clone();
        self.writer.change(connector, |connection, connector| Box::pin(connector.apply_limit(connection))).await
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn check(&self) -> Result<(), StoreError> {
        let _one: i64 =
            sqlx::query_scalar("select count(*) from key_sets").fetch_one(&self.readers).await.map_err(unavailable)?;
        self.writer.check().await
    }

    fn is_shared(&self) -> bool {
        false
    }

    fn describe(&self) -> String {
        format!("sqlite://{}", self.connector.path().display())
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
