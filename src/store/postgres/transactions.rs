//! Runs transactions on one writing connection. A connection is never used again after a failed commit or rollback. The
//! error of a statement is never ignored: PostgreSQL accepts a commit after such an error, but rolls back.

use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::PgConnection;

use super::connection::{self, Connector};
use super::fault::{ends_connection, unavailable};
use crate::store::{Outcome, StoreError};

/// Maximum number of attempts to run a transaction that conflicts with others.
const ATTEMPTS: u32 = 12;

/// Begins a transaction for work that depends on rows that cannot be locked: PostgreSQL rejects one of two transactions
/// that conflict.
const SERIALIZABLE: &str = "begin isolation level serializable";

/// Begins a transaction for work that locks every row that the work depends on.
const READ_COMMITTED: &str = "begin isolation level read committed";

/// The writing connection, and how to replace the connection after a failure.
pub(super) struct Transactions {
    connector: Connector,
    /// The open connection; `None` after a failure, until the next transaction opens another connection.
    connection: Option<PgConnection>,
    /// Error with which a transaction of this round could not begin, if any.
    unreachable: Option<StoreError>,
}

impl Transactions {
    pub(super) fn new(connector: Connector, connection: PgConnection) -> Self {
        Self { connector, connection: Some(connection), unreachable: None }
    }

    /// Begins a round of transactions. If one transaction cannot begin, all later transactions of the round fail at
    /// once; otherwise each of many would wait for the same server in turn.
    pub(super) fn begin_round(&mut self) {
        self.unreachable = None;
    }

    /// Runs `work` in a transaction, and commits unless `work` fails or returns a refusal. `work` must lock the rows
    /// that it depends on.
    pub(super) async fn transact<A: Sync + ?Sized, T, R>(
        &mut self,
        arguments: &A,
        work: impl for<'c> Fn(&'c mut PgConnection, &'c A) -> BoxFuture<'c, Outcome<T, R>>,
    ) -> Outcome<T, R> {
        self.transact_as(READ_COMMITTED, arguments, work).await
    }

    /// Runs `work` in a serializable transaction, for work that depends on rows that cannot be locked.
    pub(super) async fn transact_serializable<A: Sync + ?Sized, T, R>(
        &mut self,
        arguments: &A,
        work: impl for<'c> Fn(&'c mut PgConnection, &'c A) -> BoxFuture<'c, Outcome<T, R>>,
    ) -> Outcome<T, R> {
        self.transact_as(SERIALIZABLE, arguments, work).await
    }

    pub(super) async fn close(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection::close(connection).await;
        }
    }

    async fn transact_as<A: Sync + ?Sized, T, R>(
        &mut self,
        begin: &'static str,
        arguments: &A,
        work: impl for<'c> Fn(&'c mut PgConnection, &'c A) -> BoxFuture<'c, Outcome<T, R>>,
    ) -> Outcome<T, R> {
        let mut attempt = 0;
        loop {
            let outcome = self.attempt(begin, arguments, &work).await;
            attempt += 1;
            if attempt == ATTEMPTS || !matches!(outcome, Err(StoreError::Contended)) {
                return outcome;
            }
            // The pause grows with each attempt, so that the same transactions do not conflict again.
            tokio::time::sleep(Duration::from_millis(u64::from(attempt * attempt))).await;
        }
    }

    async fn attempt<A: Sync + ?Sized, T, R>(
        &mut self,
        begin: &'static str,
        arguments: &A,
        work: &impl for<'c> Fn(&'c mut PgConnection, &'c A) -> BoxFuture<'c, Outcome<T, R>>,
    ) -> Outcome<T, R> {
        let mut connection = self.begin(begin).await?;
        let outcome = work(&mut connection, arguments).await;
        if matches!(outcome, Ok(Ok(_))) {
            self.end(connection, "commit").await?;
        } else if let Err(error) = self.end(connection, "rollback").await {
            tracing::warn!(%error, "rollback failed: replacing the connection to the database");
        }
        outcome
    }

    async fn begin(&mut self, begin: &'static str) -> Result<PgConnection, StoreError> {
        if let Some(reason) = &self.unreachable {
            return Err(reason.clone());
        }
        // An idle connection may have been lost; one new connection is tried instead.
        if let Some(mut connection) = self.connection.take() {
            match sqlx::query(begin).execute(&mut connection).await {
                Ok(_) => return Ok(connection),
                Err(_) => connection::close(connection).await,
            }
        }
        let begun = self.begin_on_new_connection(begin).await;
        if let Err(reason) = &begun {
            self.unreachable = Some(reason.clone());
        }
        begun
    }

    async fn begin_on_new_connection(&self, begin: &'static str) -> Result<PgConnection, StoreError> {
        let mut connection = self.connector.connect().await?;
        sqlx::query(begin).execute(&mut connection).await.map_err(unavailable)?;
        Ok(connection)
    }

    async fn end(&mut self, mut connection: PgConnection, how: &'static str) -> Result<(), StoreError> {
        match sqlx::query(how).execute(&mut connection).await {
            Ok(_) => {
                self.connection = Some(connection);
                Ok(())
            }
            Err(error) => {
                if ends_connection(&error) {
                    connection::close(connection).await;
                } else {
                    // PostgreSQL rejected the commit and rolled back; the session can still be used.
                    self.connection = Some(connection);
                }
                Err(unavailable(error))
            }
        }
    }
}
