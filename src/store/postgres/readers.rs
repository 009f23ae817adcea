//! The reading connections. A statement never waits longer than its deadline. After a sign that the server is lost or
//! read-only, no row is read over a connection that was opened before.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, StreamExt, TryStreamExt};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgPool, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Either, Execute, Executor, Postgres, SqlStr};

use super::connection::Connector;
use super::session::Session;

/// Pool of reading connections, replaced as a whole when the server turns out to be lost or read-only.
#[derive(Debug)]
pub(super) struct Readers {
    connector: Connector,
    within: Duration,
    /// The pool, and the value of the connector's failover counter when the pool was created.
    pool: Mutex<(u64, PgPool)>,
}

impl Readers {
    pub(super) fn new(connector: Connector) -> Self {
        let generation = connector.generation().current();
        let pool = Mutex::new((generation, connector.pool(generation)));
        Self { within: connector.options().waits.statement, connector, pool }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner).1.is_closed()
    }

    pub(super) async fn close(&self) {
        let pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner).1.clone();
        let _late = tokio::time::timeout(self.within, pool.close()).await;
    }

    /// Causes all connections to be replaced. Called after a query showed that the server is read-only.
    pub(super) fn retire_current(&self) {
        let generation = self.connector.generation();
        generation.retire(generation.current());
    }

    /// Waits for a connection of the current pool.
    async fn acquire(&self) -> Result<Session<PoolConnection<Postgres>>, sqlx::Error> {
        let (opened_in, pool) = self.current();
        let connection = pool.acquire().await.map_err(|error| self.connector.rights().explain_login(error))?;
        let session = self.connector.session_on(connection, opened_in);
        // The new connection itself may have found a read-only server, whose rows may be old.
        if !session.is_usable() {
            session.release();
            return Err(sqlx::Error::RowNotFound);
        }
        Ok(session)
    }

    fn current(&self) -> (u64, PgPool) {
        let mut held = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.connector.generation().current();
        if held.0 != current && !held.1.is_closed() {
            let (_, former) = std::mem::replace(&mut *held, (current, self.connector.pool(current)));
            let within = self.within;
            // Idle connections close at once; connections in use close after their statement, or are cut.
            tokio::spawn(async move { tokio::time::timeout(within, former.close()).await });
        }
        held.clone()
    }
}

impl<'c> Executor<'c> for &'c Readers {
    type Database = Postgres;

    fn fetch_many<'e, 'q, E>(self, query: E) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, sqlx::Error>>
    where
        'c: 'e,
        'q: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let rows = async move {
            let mut session = self.acquire().await?;
            let rows = session.rows(query).await;
            session.release();
            Ok::<_, sqlx::Error>(futures_util::stream::iter(rows?.into_iter().map(Ok)))
        };
        futures_util::stream::once(rows).try_flatten().boxed()
    }

    fn fetch_optional<'e, 'q, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        'c: 'e,
        'q: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        Box::pin(async move {
            let mut session = self.acquire().await?;
            let row = session.fetch_optional(query).await;
            session.release();
            row
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, sqlx::Error>>
    where
        'c: 'e,
    {
        Box::pin(async move {
            let mut session = self.acquire().await?;
            let prepared = session.prepare_with(sql, parameters).await;
            session.release();
            prepared
        })
    }
}
