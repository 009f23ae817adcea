//! Transactions on one writing connection. Never goes on with a connection whose transaction did not end as it should,
//! and never swallows the error of a statement: the server would answer the commit all the same.

use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::PgConnection;

use super::connection::{self, Connector};
use super::fault::{ends_connection, unavailable};
use crate::store::StoreError;

/// What an act says inside its transaction: the outer error is a fault, the inner one a refusal. Either undoes all.
pub(super) type Verdict<T, R> = Result<Result<T, R>, StoreError>;

/// Two transactions that could not both be are tried again so often.
const ATTEMPTS: u32 = 12;

/// Reads before it writes, as if it were alone; who was slower is told so, and tried again.
const ALONE: &str = "begin isolation level serializable";

/// Locks the rows that count.
const LOCKING: &str = "begin isolation level read committed";

/// The writing connection, opened anew after a fault.
pub(super) struct Transactions {
    connector: Connector,
    /// `None` after a fault, until the next transaction.
    connection: Option<PgConnection>,
    /// Why no transaction could be begun in this round.
    unreachable: Option<StoreError>,
}

impl Transactions {
    /// Starts with a connection that is ready.
    pub(super) fn new(connector: Connector, connection: PgConnection) -> Self {
        Self { connector, connection: Some(connection), unreachable: None }
    }

    /// A new round: what could not be begun is tried again. Within a round it is not, or each of many that wait would
    /// wait for the same server in turn.
    pub(super) fn begin_round(&mut self) {
        self.unreachable = None;
    }

    /// Does `work`, which locks what it reads and relies upon, in a transaction of its own, and commits it if it is
    /// neither refused nor failed.
    pub(super) async fn transact<T, R>(
        &mut self,
        work: impl for<'c> Fn(&'c mut PgConnection) -> BoxFuture<'c, Verdict<T, R>>,
    ) -> Verdict<T, R> {
        self.transact_as(LOCKING, work).await
    }

    /// The same for work that reads more than it could lock.
    pub(super) async fn transact_alone<T, R>(
        &mut self,
        work: impl for<'c> Fn(&'c mut PgConnection) -> BoxFuture<'c, Verdict<T, R>>,
    ) -> Verdict<T, R> {
        self.transact_as(ALONE, work).await
    }

    /// Closes the connection.
    pub(super) async fn close(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection::close(connection).await;
        }
    }

    async fn transact_as<T, R>(
        &mut self,
        begin: &'static str,
        work: impl for<'c> Fn(&'c mut PgConnection) -> BoxFuture<'c, Verdict<T, R>>,
    ) -> Verdict<T, R> {
        let mut attempt = 0;
        loop {
            let verdict = self.attempt(begin, &work).await;
            attempt += 1;
            if attempt == ATTEMPTS || !matches!(verdict, Err(StoreError::Contended)) {
                return verdict;
            }
            // Those who met once should not meet again in step.
            tokio::time::sleep(Duration::from_millis(u64::from(attempt * attempt))).await;
        }
    }

    async fn attempt<T, R>(
        &mut self,
        begin: &'static str,
        work: &impl for<'c> Fn(&'c mut PgConnection) -> BoxFuture<'c, Verdict<T, R>>,
    ) -> Verdict<T, R> {
        let mut connection = self.begin(begin).await?;
        let verdict = work(&mut connection).await;
        if matches!(verdict, Ok(Ok(_))) {
            self.end(connection, "commit").await?;
        } else if let Err(error) = self.end(connection, "rollback").await {
            tracing::warn!(%error, "a transaction did not roll back: the connection is replaced");
        }
        verdict
    }

    async fn begin(&mut self, begin: &'static str) -> Result<PgConnection, StoreError> {
        if let Some(reason) = &self.unreachable {
            return Err(reason.clone());
        }
        // A connection that was lost while nobody used it is replaced, once.
        if let Some(mut connection) = self.connection.take() {
            match sqlx::query(begin).execute(&mut connection).await {
                Ok(_) => return Ok(connection),
                Err(_) => connection::close(connection).await,
            }
        }
        let begun = self.begin_anew(begin).await;
        if let Err(reason) = &begun {
            self.unreachable = Some(reason.clone());
        }
        begun
    }

    async fn begin_anew(&self, begin: &'static str) -> Result<PgConnection, StoreError> {
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
                    // The commit was refused and undone; the session is as good as before.
                    self.connection = Some(connection);
                }
                Err(unavailable(error))
            }
        }
    }
}
