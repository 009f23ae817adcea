//! The store in one SQLite file: one task that writes, a pool that reads, other processes beside us.
//! Never writes outside the writer's task, and never answers before what it says is on disk.

mod connection;
mod driver;
mod fault;
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
use super::{Store, StoreError};
use crate::base::IssuerId;

/// The name that the files in `sql/` use.
type Backend = SqliteStore;

/// A store in one file. It is used through [`Store`] and the traits that it is made of.
#[derive(Debug)]
pub struct SqliteStore {
    connector: Connector,
    readers: SqlitePool,
    writer: Writer,
    request_token_cache: RequestTokenCache,
}

impl SqliteStore {
    /// Opens the file, made where it is missing (mode 0600, its folder 0700), and brings its schema up to date.
    ///
    /// Must be called on a Tokio runtime, on which the writer's task then lives.
    ///
    /// # Errors
    /// [`StoreError::Schema`] where the file is newer than this program or is not ours,
    /// [`StoreError::Unavailable`] where it can't be opened or locked.
    pub async fn open(path: &Path, options: SqliteOptions) -> Result<Self, StoreError> {
        let connector = Connector::prepare(path, options.busy_timeout).await?;
        let mut connection = connector.connect().await?;
        migrations::migrate(&mut connection).await?;
        if let Some(moved_to) = moved_marker::moved_to(&mut connection).await? {
            connection::close(connection).await;
            return Err(StoreError::Moved(moved_to));
        }
        let readers = connector.readers(options.readers);
        let writer = Writer::start(connector.clone(), connection, options.pending, options.linger);
        Ok(Self { connector, readers, writer, request_token_cache: RequestTokenCache::default() })
    }

    /// Brings the schema of the file up to date, and does nothing else.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn migrate(path: &Path) -> Result<MigrationReport, StoreError> {
        let connector = Connector::prepare(path, SqliteOptions::default().busy_timeout).await?;
        let mut connection = connector.connect().await?;
        let report = migrations::migrate(&mut connection).await;
        connection::close(connection).await;
        report
    }

    fn records(&self) -> &Writer {
        &self.writer
    }

    fn writer(&self) -> &Writer {
        &self.writer
    }

    async fn pulse(&self, issuer: &IssuerId) -> Result<DbRow, StoreError> {
        let row = sqlx::query(statements::PULSE).bind(issuer.as_str()).fetch_one(&self.readers).await;
        row.map_err(unavailable)
    }

    /// The file has no clock of its own.
    fn read_clock(&self, _millis: u64) -> Option<i64> {
        None
    }

    /// How the writing connection is set.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn settings(&self) -> Result<Settings, StoreError> {
        self.writer.change((), |connection, ()| Box::pin(connection::read_settings(connection))).await
    }

    /// Lets the file grow to this many pages (of 4 KiB, as a rule) and no further; `None` for as far as the disk goes.
    /// Where it is full, whatever needs room is [`StoreError::Unavailable`].
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
