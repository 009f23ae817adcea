//! A writing session. Its statements have a deadline on this side too, because a frozen server enforces none. After a
//! missed deadline, or a sign that its server is lost or read-only, a session is never used again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, StreamExt, TryStreamExt};
use sqlx::postgres::{PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Connection, Either, Execute, Executor, PgConnection, Postgres, SqlStr};

use super::fault::{ends_connection, is_no_primary, late};
use super::kept_query::Kept;
use super::rights::Rights;

/// Maximum time for closing a connection.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// Counts how often the server turned out to be lost or read-only. A connection that was opened at a lower count is
/// closed before its next use, because its server may be the one that was lost.
#[derive(Debug, Clone, Default)]
pub(super) struct Generation(Arc<AtomicU64>);

impl Generation {
    pub(super) fn current(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Increases the count from `met`, so that connections opened at `met` are replaced. Does nothing if the count is
    /// higher already.
    pub(super) fn retire(&self, met: u64) {
        if self.0.compare_exchange(met, met + 1, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            tracing::warn!("the database server is lost, stopping or read-only: replacing all connections");
        }
    }
}

/// One writing connection.
pub(in crate::store) struct Session {
    connection: PgConnection,
    within: Duration,
    generation: Generation,
    /// Value of `generation` when the connection was opened.
    opened_in: u64,
    is_lost: bool,
    rights: Rights,
}

/// Shows no part of the connection.
impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("opened_in", &self.opened_in).finish_non_exhaustive()
    }
}

impl Session {
    pub(super) fn new(
        connection: PgConnection,
        within: Duration,
        generation: Generation,
        opened_in: u64,
        rights: Rights,
    ) -> Self {
        Self { connection, within, generation, opened_in, is_lost: false, rights }
    }

    /// Returns whether the session may be used for another transaction.
    pub(super) fn is_usable(&self) -> bool {
        !self.is_lost && self.opened_in == self.generation.current()
    }

    /// Closes the session. A lost session is dropped without a farewell, since its server may not answer.
    pub(super) async fn close(self) {
        if !self.is_lost {
            close(self.connection).await;
        }
    }

    /// Returns `error` of the statement `sql`, explained, and notes what it says about the connection and the server.
    async fn note(&mut self, error: sqlx::Error, sql: &SqlStr) -> sqlx::Error {
        self.is_lost |= ends_connection(&error);
        if is_no_primary(&error) {
            self.generation.retire(self.opened_in);
        }
        self.rights.explain(error, sql.as_str()).await
    }
}

/// Closes a connection, which the server may have ended before.
pub(super) async fn close(connection: PgConnection) {
    let _closed = tokio::time::timeout(CLOSE_WITHIN, connection.close()).await;
}

impl<'c> Executor<'c> for &'c mut Session {
    type Database = Postgres;

    fn fetch_many<'e, 'q, E>(self, query: E) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, sqlx::Error>>
    where
        'c: 'e,
        'q: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let rows = async move {
            let query = Kept::of(query);
            let sql = query.sql.clone();
            let fetched = self.connection.fetch_many(query).try_collect::<Vec<_>>();
            match tokio::time::timeout(self.within, fetched).await.unwrap_or_else(|_| Err(late())) {
                Ok(rows) => Ok(futures_util::stream::iter(rows.into_iter().map(Ok))),
                Err(error) => Err(self.note(error, &sql).await),
            }
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
            let fetched = tokio::time::timeout(self.within, self.connection.fetch_optional(query)).await;
            match fetched.unwrap_or_else(|_| Err(late())) {
                Ok(row) => Ok(row),
                Err(error) => Err(self.note(error, &sql).await),
            }
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
            let text = sql.clone();
            let prepared = tokio::time::timeout(self.within, self.connection.prepare_with(sql, parameters)).await;
            match prepared.unwrap_or_else(|_| Err(late())) {
                Ok(prepared) => Ok(prepared),
                Err(error) => Err(self.note(error, &text).await),
            }
        })
    }
}
