//! The store in a PostgreSQL database that any number of buildpass servers share. Writes run in tasks of their own, so
//! that a client that disconnects cancels no write. No write is answered before the commit.

mod connection;
pub(in crate::store) mod copy_target;
mod driver;
mod fault;
mod kept_query;
mod migrations;
mod options;
mod readers;
mod rights;
mod session;
mod sessions;
mod statements;
mod transactions;
mod writers;

crate::store::sql_modules!();

use std::sync::atomic::Ordering;

pub use self::options::{PostgresOptions, Tls};
use async_trait::async_trait;

use self::connection::Connector;
use self::driver::DbRow;
use self::fault::{closed, unavailable};
use self::readers::Readers;
use self::writer::Writer;
use self::writers::Writers;
use super::migrations::MigrationReport;
use super::request_token_cache::RequestTokenCache;
use super::{InFlight, Store, StoreError};
use crate::base::IssuerId;

/// Name by which the shared files of `sql/` refer to this store's type.
type Backend = PostgresStore;

/// Store in a PostgreSQL database, whose methods are those of [`Store`] and its supertraits.
#[derive(Debug)]
pub struct PostgresStore {
    connector: Connector,
    readers: Readers,
    writers: Writers,
    request_token_cache: RequestTokenCache,
}

impl PostgresStore {
    /// Connects to the database, checks the PostgreSQL server's settings, and migrates the schema.
    ///
    /// Must be called within a Tokio runtime, which then runs the writing tasks.
    ///
    /// # Errors
    /// [`StoreError::Schema`] if the schema is newer than this program or belongs to another program,
    /// [`StoreError::Unavailable`] if the server cannot be reached or written, or has settings that could lose a
    /// committed record.
    pub async fn open(options: PostgresOptions, pending: InFlight) -> Result<Self, StoreError> {
        let connector = Connector::new(options);
        connector.check_settings().await?;
        migrations::migrate(&connector).await?;
        let writers = Writers::start(&connector, pending).await?;
        let readers = Readers::new(connector.clone());
        Ok(Self { readers, connector, writers, request_token_cache: RequestTokenCache::default() })
    }

    /// Migrates the schema of the database, and does nothing else.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn migrate(options: PostgresOptions) -> Result<MigrationReport, StoreError> {
        let connector = Connector::new(options);
        connector.check_settings().await?;
        migrations::migrate(&connector).await
    }

    fn records(&self) -> &Writer {
        self.writers.records()
    }

    fn writer(&self) -> &Writer {
        self.writers.next()
    }

    async fn read_key_poll(&self, issuer: &IssuerId) -> Result<DbRow, StoreError> {
        let row = sqlx::query(statements::KEY_POLL).bind(issuer.as_str()).fetch_optional(&self.readers).await;
        match row.map_err(unavailable)? {
            Some(row) => Ok(row),
            None => {
                // The server is read-only after a failover, and its data may be old.
                self.readers.retire_current();
                Err(unavailable(sqlx::Error::RowNotFound))
            }
        }
    }

    /// Returns the PostgreSQL server's time in milliseconds since 1970, plus the offset that tests set.
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
