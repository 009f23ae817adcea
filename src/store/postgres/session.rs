//! A session: a connection whose statements have a deadline on this side too, because a frozen server enforces none. After
//! a missed deadline, or a sign that its server is lost or read-only, a session is never used again.

use std::ops::DerefMut;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, StreamExt, TryStreamExt};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Connection, Either, Execute, Executor, PgConnection, Postgres, SqlStr};

use super::fault::{ends_connection, is_no_primary, late};
use super::kept_query::Kept;
use super::rights::Rights;

/// Maximum time for closing a connection.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// Failover counter, which counts how often the server turned out to be lost or read-only. A connection that was opened
/// at a lower count is closed before its next use, because its server may be the one that was lost.
#[derive(Debug, Clone, Default)]
pub(super) struct Generation(Arc<AtomicU64>);

impl Generation {
    pub(super) fn current(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Increases the count if it is still `met`, so that connections opened at this count are replaced.
    pub(super) fn retire(&self, met: u64) {
        if self.0.compare_exchange(met, met + 1, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            tracing::warn!("the database server is lost, stopping or read-only: replacing all connections");
        }
    }
}

/// One connection, opened for writing or taken from the pool of readers.
pub(in crate::store) struct Session<C = Box<PgConnection>> {
    connection: C,
    within: Duration,
    generation: Generation,
    /// Value of `generation` when the connection was opened.
    opened_in: u64,
    is_lost: bool,
    rights: Rights,
}

/// Formats the session without its connection.
impl<C> std::fmt::Debug for Session<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("opened_in", &self.opened_in).finish_non_exhaustive()
    }
}

impl<C: DerefMut<Target = PgConnection>> Session<C> {
    pub(super) fn new(connection: C, within: Duration, generation: Generation, opened_in: u64, rights: Rights) -> Self {
        Self { connection, within, generation, opened_in, is_lost: false, rights }
    }

    /// Returns whether the session may be used for another transaction.
    pub(super) fn is_usable(&self) -> bool {
        !self.is_lost && self.opened_in == self.generation.current()
    }

    /// Runs a statement and returns all of its rows.
    pub(super) async fn rows(
        &mut self,
        query: impl Execute<'_, Postgres>,
    ) -> Result<Vec<Either<PgQueryResult, PgRow>>, sqlx::Error> {
        let query = Kept::of(query);
        let sql = query.sql.clone();
        let fetched = run(self.within, self.connection.fetch_many(query).try_collect()).await;
        self.finish(&sql, fetched).await
    }

    /// Returns the result of the statement `sql`, with an explanation if PostgreSQL refused the statement. After an
    /// error that shows that the connection or the server is lost, the session is not used again.
    async fn finish<T>(&mut self, sql: &SqlStr, done: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        let error = match done {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        self.is_lost |= ends_connection(&error);
        if is_no_primary(&error) {
            self.generation.retire(self.opened_in);
        }
        Err(self.rights.explain(error, sql.as_str()).await)
    }
}

impl Session {
    /// Closes the session. A lost connection is dropped without a message to the server, which may not answer.
    pub(super) async fn close(self) {
        if !self.is_lost {
            close(*self.connection).await;
        }
    }
}

impl Session<PoolConnection<Postgres>> {
    /// Returns the connection to its pool. A lost connection is dropped without a message to the server.
    pub(super) fn release(self) {
        if !self.is_usable() {
            drop(self.connection.detach());
        }
    }
}

/// Closes a connection, which the server may have ended before.
pub(super) async fn close(connection: PgConnection) {
    let _closed = tokio::time::timeout(CLOSE_WITHIN, connection.close()).await;
}

/// Runs a statement, and fails if the statement takes longer than `within`.
async fn run<T>(within: Duration, statement: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    tokio::time::timeout(within, statement).await.unwrap_or_else(|_| Err(late()))
}

impl<'c, C: DerefMut<Target = PgConnection> + Send> Executor<'c> for &'c mut Session<C> {
    type Database = Postgres;

    fn fetch_many<'e, 'q, E>(self, query: E) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, sqlx::Error>>
    where
        'c: 'e,
        'q: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let rows = async move {
            let rows = self.rows(query).await?;
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
            let query = Kept::of(query);
            let sql = query.sql.clone();
            let fetched = run(self.within, self.connection.fetch_optional(query)).await;
            self.finish(&sql, fetched).await
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
            let prepared = run(self.within, self.connection.prepare_with(sql.clone(), parameters)).await;
            self.finish(&sql, prepared).await
        })
    }
}
