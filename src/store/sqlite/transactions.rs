//! Transactions on the one writing connection. Never goes on with a connection whose commit or rollback failed:
//! SQLite may have ended the transaction itself (on a full disk it does), and nobody would know.

use futures_util::future::BoxFuture;
use sqlx::SqliteConnection;

use super::connection::{self, Connector};
use super::fault::{is_busy, unavailable};
use super::moved_marker;
use crate::store::StoreError;

/// What an act says inside its transaction: the outer error is a fault, the inner one a refusal. Either undoes all.
pub(super) type Verdict<T, R> = Result<Result<T, R>, StoreError>;

/// The writing connection, opened anew after a fault.
pub(super) struct Transactions {
    connector: Connector,
    /// `None` after a failed commit or rollback, until the next transaction.
    connection: Option<SqliteConnection>,
    /// Why no transaction could be begun in this round.
    unreachable: Option<StoreError>,
}

impl Transactions {
    /// Starts with a connection that is ready.
    pub(super) fn new(connector: Connector, connection: SqliteConnection) -> Self {
        Self { connector, connection: Some(connection), unreachable: None }
    }

    /// A new round: what could not be begun is tried again. Within a round it is not, or each of many that wait would
    /// wait for the same lock in turn.
    pub(super) fn begin_round(&mut self) {
        self.unreachable = None;
    }

    /// Does `work` in a transaction that holds the write lock from its first statement on, and commits it if it is
    /// neither refused nor failed.
    pub(super) async fn transact<T, R>(
        &mut self,
        work: impl for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Verdict<T, R>>,
    ) -> Verdict<T, R> {
        let mut connection = self.begin().await?;
        let verdict = work(&mut connection).await;
        if matches!(verdict, Ok(Ok(_))) {
            self.end(connection, "commit").await?;
        } else if let Err(error) = self.end(connection, "rollback").await {
            tracing::warn!(%error, "a transaction did not roll back: the connection is replaced");
        }
        verdict
    }

    /// The same for an act that must be alone: here one writes at a time anyway.
    pub(super) async fn transact_alone<T, R>(
        &mut self,
        work: impl for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Verdict<T, R>>,
    ) -> Verdict<T, R> {
        self.transact(work).await
    }

    /// Closes the connection.
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
        // A deferred transaction that reads first and then writes fails at once after another's commit.
        match sqlx::query("begin immediate").execute(&mut connection).await {
            Ok(_) => self.unless_moved(connection).await,
            Err(error) => {
                if is_busy(&error) {
                    self.connection = Some(connection);
                } else {
                    connection::close(connection).await;
                }
                Err(unavailable(error))
            }
        }
    }

    /// Nothing is written to a file that was left: what came after the mark would be lost.
    async fn unless_moved(&mut self, mut connection: SqliteConnection) -> Result<SqliteConnection, StoreError> {
        let moved = moved_marker::moved_to(&mut connection).await;
        if matches!(moved, Ok(None)) {
            return Ok(connection);
        }
        self.end(connection, "rollback").await?;
        match moved {
            Ok(Some(moved_to)) => Err(StoreError::Moved(moved_to)),
            Ok(None) => Err(StoreError::Unavailable("the mark was there and was not".to_owned())),
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
