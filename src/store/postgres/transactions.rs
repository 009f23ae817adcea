//! Runs transactions on one writing connection. A connection is never used again after a failed commit or rollback. The
//! error of a statement is never ignored: PostgreSQL would accept a later commit, but roll back.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::connection::Connector;
use super::fault::unavailable;
use super::session::Session;
use crate::store::{Outcome, StoreError};

/// Maximum number of attempts to run a transaction that conflicts with others.
const ATTEMPTS: u32 = 12;

/// Begins a transaction for work that depends on rows that cannot be locked, such as rows that do not exist yet:
/// PostgreSQL rejects one of two transactions that conflict.
const SERIALIZABLE: &str = "begin isolation level serializable";

/// Begins a transaction for work that locks every row that the work depends on.
const READ_COMMITTED: &str = "begin isolation level read committed";

/// Ends a transaction whose work failed or was refused.
const ROLLBACK: &str = "rollback";

/// The writing connection, and the connector that opens another connection after a failure.
pub(super) struct Transactions {
    connector: Connector,
    /// The open connection; `None` after a failure, until the next transaction opens another connection.
    connection: Option<Session>,
    /// Error with which a transaction of the current round failed to begin; `None` if none failed.
    unreachable: Option<StoreError>,
}

impl Transactions {
    pub(super) fn new(connector: Connector, connection: Session) -> Self {
        Self { connector, connection: Some(connection), unreachable: None }
    }

    /// Begins a round: the transactions of all jobs that were taken from the queue together. If one transaction cannot
    /// begin, the later ones of the round fail without a wait; otherwise each would wait for the same server in turn.
    pub(super) fn begin_round(&mut self) {
        self.unreachable = None;
    }

    /// Runs `work` in a transaction, and commits unless `work` fails or returns a refusal. `work` must lock the rows
    /// that it depends on.
    pub(super) async fn transact<A: Sync + ?Sized, T, R>(
        &mut self,
        arguments: &A,
        work: impl for<'c> Fn(&'c mut Session, &'c A) -> BoxFuture<'c, Outcome<T, R>>,
    ) -> Outcome<T, R> {
        self.transact_as(READ_COMMITTED, arguments, work).await
    }

    /// Runs `work` in a serializable transaction, for work that depends on rows that cannot be locked.
    pub(super) async fn transact_serializable<A: Sync + ?Sized, T, R>(
        &mut self,
        arguments: &A,
        work: impl for<'c> Fn(&'c mut Session, &'c A) -> BoxFuture<'c, Outcome<T, R>>,
    ) -> Outcome<T, R> {
        self.transact_as(SERIALIZABLE, arguments, work).await
    }

    pub(super) async fn close(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.close().await;
        }
    }

    async fn transact_as<A: Sync + ?Sized, T, R>(
        &mut self,
        begin: &'static str,
        arguments: &A,
        work: impl for<'c> Fn(&'c mut Session, &'c A) -> BoxFuture<'c, Outcome<T, R>>,
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
        work: &impl for<'c> Fn(&'c mut Session, &'c A) -> BoxFuture<'c, Outcome<T, R>>,
    ) -> Outcome<T, R> {
        let mut connection = self.begin(begin).await?;
        let outcome = work(&mut connection, arguments).await;
        if matches!(outcome, Ok(Ok(_))) {
            self.end(connection, "commit").await?;
        } else if let Err(error) = self.end(connection, ROLLBACK).await {
            tracing::warn!(%error, "rollback failed: replacing the connection to the database");
        }
        outcome
    }

    async fn begin(&mut self, begin: &'static str) -> Result<Session, StoreError> {
        if let Some(reason) = &self.unreachable {
            return Err(reason.clone());
        }
        // An idle connection may have been lost; one new connection is tried instead.
        if let Some(mut connection) = self.connection.take() {
            if !connection.is_usable() {
                connection.close().await;
                return self.begin_anew(begin).await;
            }
            match sqlx::query(begin).execute(&mut connection).await {
                Ok(_) => return Ok(connection),
                Err(_) => connection.close().await,
            }
        }
        self.begin_anew(begin).await
    }

    async fn begin_anew(&mut self, begin: &'static str) -> Result<Session, StoreError> {
        let begun = self.begin_on_new_connection(begin).await;
        if let Err(reason) = &begun {
            self.unreachable = Some(reason.clone());
        }
        begun
    }

    async fn begin_on_new_connection(&self, begin: &'static str) -> Result<Session, StoreError> {
        let mut connection = self.connector.session().await?;
        sqlx::query(begin).execute(&mut connection).await.map_err(unavailable)?;
        Ok(connection)
    }

    async fn end(&mut self, mut connection: Session, how: &'static str) -> Result<(), StoreError> {
        // A lost session has no transaction left to roll back.
        if !connection.is_usable() && how == ROLLBACK {
            connection.close().await;
            return Ok(());
        }
        let ended = sqlx::query(how).execute(&mut connection).await;
        // PostgreSQL rejected the commit and rolled back; if the session is not lost, it can still be used.
        if connection.is_usable() {
            self.connection = Some(connection);
        } else {
            connection.close().await;
        }
        ended.map(drop).map_err(unavailable)
    }
}
