//! Connections to the server, and what a server must be for us to trust it with a record. Never waits without a bound.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection, PgConnection, Row};

use super::fault::{POOLER, unavailable};
use super::options::{PostgresOptions, Tls};
use crate::store::StoreError;

/// How long a connection may take to stand.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// How long a statement may take, so that a lost client's work ends; and how long a transaction may lie idle.
const STATEMENT_TIMEOUT: &str = "10s";

/// The oldest server that the tests run on.
const OLDEST: i32 = 150_000;

/// Makes connections to one database.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    options: Arc<PostgresOptions>,
}

impl Connector {
    pub(super) fn new(options: PostgresOptions) -> Self {
        Self { options: Arc::new(options) }
    }

    pub(super) fn options(&self) -> &PostgresOptions {
        &self.options
    }

    /// Everything is named here, so that no variable of the environment and no file of the user fills a gap.
    fn connect_options(&self) -> PgConnectOptions {
        let options = &self.options;
        let mode = match options.tls {
            Tls::Disable => PgSslMode::Disable,
            Tls::Require => PgSslMode::Require,
            Tls::VerifyCa => PgSslMode::VerifyCa,
            Tls::VerifyFull => PgSslMode::VerifyFull,
        };
        let mut made = PgConnectOptions::new_without_pgpass()
            .port(options.port)
            .username(&options.user)
            .database(&options.database)
            .ssl_mode(mode)
            .application_name("buildpass")
            .options([
                ("statement_timeout", STATEMENT_TIMEOUT),
                ("lock_timeout", STATEMENT_TIMEOUT),
                ("idle_in_transaction_session_timeout", STATEMENT_TIMEOUT),
            ])
            .log_slow_statements(tracing::log::LevelFilter::Off, Duration::from_secs(1));
        made = if options.host.starts_with('/') { made.socket(&options.host) } else { made.host(&options.host) };
        if let Some(password) = &options.password {
            made = made.password(password.expose_secret());
        }
        match &options.root_certificates {
            Some(file) => made.ssl_root_cert(file),
            None => made,
        }
    }

    /// A connection that may write.
    pub(super) async fn connect(&self) -> Result<PgConnection, StoreError> {
        let options = self.connect_options();
        let mut connection = tokio::time::timeout(CONNECT_WITHIN, options.connect())
            .await
            .map_err(|_| StoreError::Unavailable("the server does not answer in time".to_owned()))?
            .map_err(unavailable)?;
        let read_only: String = sqlx::query_scalar("select current_setting('transaction_read_only')")
            .fetch_one(&mut connection)
            .await
            .map_err(unavailable)?;
        if read_only != "off" {
            close(connection).await;
            return Err(StoreError::Unavailable("the server is read-only: it is a standby, or became one".to_owned()));
        }
        Ok(connection)
    }

    /// The pool that reads.
    pub(super) fn readers(&self) -> PgPool {
        PgPoolOptions::new()
            .max_connections(self.options.readers)
            .acquire_timeout(CONNECT_WITHIN)
            .connect_lazy_with(self.connect_options())
    }

    /// Is this a server that keeps what it was told?
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] says which setting to change.
    pub(super) async fn examine(&self) -> Result<(), StoreError> {
        let mut connection = self.connect().await?;
        let examined = examine(&mut connection).await;
        close(connection).await;
        examined
    }
}

/// Ends a session; that it had ended already is as good.
pub(super) async fn close(connection: PgConnection) {
    let _ended = tokio::time::timeout(CONNECT_WITHIN, connection.close()).await;
}

async fn examine(connection: &mut PgConnection) -> Result<(), StoreError> {
    let row = sqlx::query(
        "select cast(current_setting('server_version_num') as integer) as version, \
                current_setting('synchronous_commit') as synchronous_commit, \
                current_setting('fsync', true) as fsync, \
                current_setting('full_page_writes', true) as full_page_writes, \
                current_setting('statement_timeout') as statement_timeout",
    )
    .fetch_one(connection)
    .await
    .map_err(unavailable)?;
    let refuse = |text: &str| Err(StoreError::Unavailable(text.to_owned()));
    let text = |name: &str| row.try_get::<Option<String>, _>(name).map_err(unavailable).map(Option::unwrap_or_default);
    if row.try_get::<i32, _>("version").map_err(unavailable)? < OLDEST {
        return refuse("the server is older than PostgreSQL 15");
    }
    if text("synchronous_commit")? == "off" {
        return refuse(
            "synchronous_commit is off: a token could leave although its record is lost when the server crashes. Set it \
             on for this database: alter database … set synchronous_commit = on",
        );
    }
    if text("statement_timeout")? != STATEMENT_TIMEOUT {
        return refuse(POOLER);
    }
    for name in ["fsync", "full_page_writes"] {
        if text(name)? == "off" {
            tracing::warn!("{name} is off on the PostgreSQL server: a record may be lost when its machine crashes");
        }
    }
    Ok(())
}
