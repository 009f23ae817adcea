//! Runs transactions on the one writing connection. A connection is never used again after a failed commit or rollback:
//! SQLite may have rolled back by itself (as on a full disk), which the driver does not notice.

use futures_util::future::BoxFuture;
use sqlx::SqliteConnection;

use super::connection::{self, Connector};
use super::fault::{is_busy, unavailable};
use super::moved_marker;
use crate::store::{Outcome, StoreError};

/// The writing connection, and the connector that opens another connection after a failure.
pub(super) struct Transactions {
    connector: Connector,
    /// The open connection; `None` after a failed commit or rollback, until the next transaction opens another
    /// connection.
    connection: Option<SqliteConnection>,
    /// Error with which a transaction of the current round failed to begin; `None` if none failed.
    unreachable: Option<StoreError>,
}

impl Transactions {
    pub(super) fn new(connector: Connector, connection: SqliteConnection) -> Self {
        Self { connector, connection: Some(connection), unreachable: None }
    }

    /// Begins a round: the transactions of all jobs that were taken from the queue together. If one transaction cannot
    /// begin, the later ones of the round fail without a wait; otherwise each would wait for the same lock in turn.
    pub(super) fn begin_round(&mut self) {
        self.unreachable = None;
    }

    /// Runs `work` in a transaction that holds the write lock from its first statement on. Commits unless `work` fails
    /// or returns a refusal.
    pub(super) async fn transact<A: Sync + ?Sized, T, R>(
        &mut self,
        arguments: &A,
        work: impl for<'c> FnOnce(&'c mut SqliteConnection, &'c A) -> BoxFuture<'c, Outcome<T, R>>,
    ) -> Outcome<T, R> {
        let mut connection = self.begin().await?;
        let outcome = work(&mut connection, arguments).await;
        if matches!(outcome, Ok(Ok(_))) {
            self.end(connection, "commit").await?;
        } else if let Err(error) = self.end(connection, "rollback").await {
            tracing::warn!(%error, "rollback failed: replacing the connection to the database");
        }
        outcome
    }

    /// Runs `work` in a serializable transaction. In SQLite every transaction is serializable.
    pub(super) async fn transact_serializable<A: Sync + ?Sized, T, R>(
        &mut self,
        arguments: &A,
        work: impl for<'c> FnOnce(&'c mut SqliteConnection, &'c A) -> BoxFuture<'c, Outcome<T, R>>,
    ) -> Outcome<T, R> {
        self.transact(arguments, work).await
    }

    pub(super) async fn close(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection::close(connection).await;
        }
    }

    async fn begin(&mut self) -> Result<SqliteConnection, StoreError> {
        if let Some(reason) = &self.unreachable {
            return Err(reason.clone());
        }
        let begun = self.try_begin().await;
        if let Err(reason) = &begun {
            self.unreachable = Some(reason.clone());
        }
        begun
    }

    async fn try_begin(&mut self) -> Result<SqliteConnection, StoreError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connector.connect().await?,
        };
        // Not a deferred transaction: it would fail at once if another transaction committed between its first read and
        // its first write.
        match sqlx::query("begin immediate").execute(&mut connection).await {
            Ok(_) => self.unless_moved(connection).await,
            Err(error) => {
                if is_busy(&error) {
                    self.connection = Some(connection);
                    return Err(unavailable(error));
                }
                connection::close(connection).await;
                Err(self.connector.explain(unavailable(error)))
            }
        }
    }

    /// Refuses to begin a transaction on a file that is marked as moved, since a write after the mark would be lost.
    async fn unless_moved(&mut self, mut connection: SqliteConnection) -> Result<SqliteConnection, StoreError> {
        let moved = moved_marker::moved_to(&mut connection).await;
        if matches!(moved, Ok(None)) {
            return Ok(connection);
        }
        self.end(connection, "rollback").await?;
        match moved {
            Ok(Some(moved_to)) => Err(StoreError::Moved(moved_to)),
            Ok(None) => {
                Err(StoreError::Unavailable("could not read whether the SQLite file is marked as moved".to_owned()))
            }
            Err(error) => Err(error),
        }
    }

    async fn end(&mut self, mut connection: SqliteConnection, how: &'static str) -> Result<(), StoreError> {
        match sqlx::query(how).execute(&mut connection).await {
            Ok(_) => {
                self.connection = Some(connection);
                Ok(())
            }
            Err(error) => {
                connection::close(connection).await;
                Err(unavailable(error))
            }
        }
    }
}
