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
use super::fault::{ends_connection, is_no_primary, late};
use super::kept_query::Kept;

/// Pool of reading connections, replaced as a whole when the server turns out to be lost or read-only.
#[derive(Debug)]
pub(super) struct Readers {
    connector: Connector,
    within: Duration,
    /// The pool, and the value of the connector's `Generation` at which it was created.
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

    /// Has all connections replaced, because a query showed that the server is read-only.
    pub(super) fn retire_current(&self) {
        let generation = self.connector.generation();
        generation.retire(generation.current());
    }

    /// Waits for a connection of the current pool. Returns the connection, and the `Generation` of its pool.
    async fn acquire(&self) -> Result<(u64, PoolConnection<Postgres>), sqlx::Error> {
        let (generation, pool) = self.current();
        let connection = pool.acquire().await.map_err(|error| self.connector.rights().explain_login(error))?;
        // The new connection itself may have found a read-only server, whose rows may be old.
        if self.connector.generation().current() != generation {
            drop(connection.detach());
            return Err(sqlx::Error::RowNotFound);
        }
        Ok((generation, connection))
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

    /// Returns the connection to the pool, or cuts it after an error that ends it: the state of the connection is
    /// unknown, and its server may not even hear a farewell. Explains an error of the statement `sql`.
    async fn finish<T>(
        &self,
        generation: u64,
        connection: PoolConnection<Postgres>,
        sql: &SqlStr,
        done: Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        let error = match done {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        if ends_connection(&error) {
            if is_no_primary(&error) {
                self.connector.generation().retire(generation);
            }
            drop(connection.detach());
        } else {
            drop(connection);
        }
        Err(self.connector.rights().explain(error, sql.as_str()).await)
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
            let (generation, mut connection) = self.acquire().await?;
            let query = Kept::of(query);
            let sql = query.sql.clone();
            let fetched = connection.fetch_many(query).try_collect::<Vec<_>>();
            let fetched = tokio::time::timeout(self.within, fetched).await.unwrap_or_else(|_| Err(late()));
            let rows = self.finish(generation, connection, &sql, fetched).await?;
            Ok::<_, sqlx::Error>(futures_util::stream::iter(rows.into_iter().map(Ok)))
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
            let (generation, mut connection) = self.acquire().await?;
            let query = Kept::of(query);
            let sql = query.sql.clone();
            let fetched = tokio::time::timeout(self.within, connection.fetch_optional(query)).await;
            self.finish(generation, connection, &sql, fetched.unwrap_or_else(|_| Err(late()))).await
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
            let (generation, mut connection) = self.acquire().await?;
            let text = sql.clone();
            let prepared = tokio::time::timeout(self.within, connection.prepare_with(sql, parameters)).await;
            self.finish(generation, connection, &text, prepared.unwrap_or_else(|_| Err(late()))).await
        })
    }
}
