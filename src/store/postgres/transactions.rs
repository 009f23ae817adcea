//! Transactions on one writing connection. Never reuses a connection whose commit or rollback failed, and never ignores
//! the error of a statement: the server accepts a commit after it, and rolls back.

use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::PgConnection;

use super::connection::{self, Connector};
use super::fault::{ends_connection, unavailable};
use crate::store::{Outcome, StoreError};

/// Number of attempts of a transaction that conflicts with others.
const ATTEMPTS: u32 = 12;

/// For work that depends on rows it cannot lock: the server rejects one of two transactions that conflict.
const SERIALIZABLE: &str = "begin isolation level serializable";

/// For work that locks every row it depends on.
const READ_COMMITTED: &str = "begin isolation level read committed";

/// The writing connection, which is replaced after a failure.
pub(super) struct Transactions {
    connector: Connector,
    /// `None` after a failure, until the next transaction.
    connection: Option<PgConnection>,
    /// Failure to begin a transaction in this round.
    unreachable: Option<StoreError>,
}

impl Transactions {
    pub(super) fn new(connector: Connector, connection: PgConnection) -> Self {
        Self { connector, connection: Some(connection), unreachable: None }
    }

    /// Begins a round. After a failure to begin a transaction, the others of the round fail at once: each of many waiting
    /// acts would otherwise wait for the same server in turn.
    pub(super) fn begin_round(&mut self) {
        self.unreachable = None;
    }

    /// Runs `work` in a transaction, and commits unless it is refused or fails. `work` must lock the rows it depends on.
    pub(super) async fn transact<A: Sync + ?Sized, T, R>(
        &mut self,
        arguments: &A,
        work: impl for<'c> Fn(&'c mut PgConnection, &'c A) -> BoxFuture<'c, Outcome<T, R>>,
    ) -> Outcome<T, R> {
        self.transact_as(READ_COMMITTED, arguments, work).await
    }

    /// Runs work that depends on rows it cannot lock.
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
            // A growing pause, so that the same transactions do not conflict again.
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
        // An idle connection may have been lost: it is replaced, once.
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
                    // The server rejected the commit and rolled back; the session stays usable.
                    self.connection = Some(connection);
                }
                Err(unavailable(error))
            }
        }
    }
}
