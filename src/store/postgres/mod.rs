//! The store in a PostgreSQL database that any number of servers share. Writes run in tasks of their own, so that a
//! caller who hangs up cancels nothing; never answers before the commit.

mod connection;
pub(in crate::store) mod copy_target;
mod driver;
mod fault;
mod migrations;
mod options;
mod statements;
mod transactions;
mod writers;

crate::store::sql_modules!();

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use sqlx::postgres::PgPool;

pub use self::options::{PostgresOptions, Tls};

use self::connection::Connector;
use self::driver::DbRow;
use self::fault::{closed, unavailable};
use self::writer::Writer;
use self::writers::Writers;
use super::migrations::MigrationReport;
use super::request_token_cache::RequestTokenCache;
use super::{InFlight, Store, StoreError};
use crate::base::IssuerId;

/// The name that the files in `sql/` use.
type Backend = PostgresStore;

/// A store on a server. It is used through [`Store`] and the traits that it is made of.
#[derive(Debug)]
pub struct PostgresStore {
    connector: Connector,
    readers: PgPool,
    writers: Writers,
    request_token_cache: RequestTokenCache,
}

impl PostgresStore {
    /// Connects, examines the server, and brings its schema up to date.
    ///
    /// Must be called on a Tokio runtime, on which the writers' tasks then live.
    ///
    /// # Errors
    /// [`StoreError::Schema`] where the schema is newer than this program or is not ours, [`StoreError::Unavailable`]
    /// where the server can't be reached, can't be written, or would lose what it was told.
    pub async fn open(options: PostgresOptions, pending: InFlight) -> Result<Self, StoreError> {
        let connector = Connector::new(options);
        connector.examine().await?;
        migrations::migrate(&connector).await?;
        let writers = Writers::start(&connector, pending).await?;
        Ok(Self { readers: connector.readers(), connector, writers, request_token_cache: RequestTokenCache::default() })
    }

    /// Brings the schema up to date, and does nothing else.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn migrate(options: PostgresOptions) -> Result<MigrationReport, StoreError> {
        let connector = Connector::new(options);
        connector.examine().await?;
        migrations::migrate(&connector).await
    }

    fn records(&self) -> &Writer {
        self.writers.records()
    }

    fn writer(&self) -> &Writer {
        self.writers.next()
    }

    async fn pulse(&self, issuer: &IssuerId) -> Result<DbRow, StoreError> {
        let mut connection = self.readers.acquire().await.map_err(unavailable)?;
        let row = sqlx::query(statements::PULSE).bind(issuer.as_str()).fetch_optional(&mut *connection).await;
        match row.map_err(unavailable)? {
            Some(row) => Ok(row),
            None => {
                // A failover: what this server says may be old.
                connection.close_on_drop();
                Err(unavailable(sqlx::Error::RowNotFound))
            }
        }
    }

    /// The server's clock, as a test may have set it.
    fn read_clock(&self, millis: u64) -> Option<i64> {
        let offset = self.connector.options().clock_offset.load(Ordering::Relaxed);
        Some(i64::try_from(millis).ok()?.saturating_add(offset))
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn check(&self) -> Result<(), StoreError> {
        if self.readers.is_closed() {
            return Err(closed());
        }
        self.writers.records().check().await
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn describe(&self) -> String {
        self.connector.options().to_string()
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writers.close().await;
    }
}
