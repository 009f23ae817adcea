//! Opens connections to a PostgreSQL server, and checks the server's settings, some of which would lose committed
//! records. Nothing here waits without a time limit.

use std::ops::DerefMut;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
use sqlx::{ConnectOptions, PgConnection, Row};

use super::fault::{POOLER, unavailable};
use super::options::{PostgresOptions, Tls};
use super::rights::Rights;
use super::session::{Generation, Session, close};
use crate::base::file_problem;
use crate::store::StoreError;

/// Oldest supported version of PostgreSQL (15), as the server reports its version. The tests run this version.
const OLDEST: i32 = 150_000;

/// Turns off every time limit that the server has for a session; `transaction_timeout` came with PostgreSQL 17.
const UNLIMITED: &str = "\
    select set_config(name, '0', false) from pg_settings where name in ('statement_timeout', 'lock_timeout', \
        'idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout')";

/// Makes the PostgreSQL server roll back soon after this process has ended, even while a statement runs.
const NOTICES_OUR_END: &str = "\
    select set_config('client_connection_check_interval', '2s', false), set_config('tcp_keepalives_idle', '30', false)";

/// Opens connections to one PostgreSQL database.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    options: Arc<PostgresOptions>,
    generation: Generation,
    rights: Rights,
}

impl Connector {
    pub(super) fn new(options: PostgresOptions) -> Self {
        let options = Arc::new(options);
        let rights = Rights::new(Arc::clone(&options), connect_options(&options));
        Self { rights, options, generation: Generation::default() }
    }

    /// Returns the [`Rights`], which explain why PostgreSQL refused a statement or login.
    pub(super) fn rights(&self) -> &Rights {
        &self.rights
    }

    pub(super) fn options(&self) -> &PostgresOptions {
        &self.options
    }

    /// Returns the failover counter. Each increase means that the server was lost or read-only, and has all connections
    /// replaced.
    pub(super) fn generation(&self) -> &Generation {
        &self.generation
    }

    /// Returns the maximum time for which a caller waits for the answer to a write.
    pub(super) fn answer_within(&self) -> Duration {
        self.options.waits.answer()
    }

    /// Opens a connection that can write; fails if the server is read-only.
    pub(super) async fn connect(&self) -> Result<PgConnection, StoreError> {
        let within = self.options.waits.acquire;
        let late = || StoreError::Unavailable(format!("PostgreSQL did not answer within {} s", within.as_secs_f32()));
        tokio::time::timeout(within, self.open()).await.unwrap_or_else(|_| Err(late()))
    }

    async fn open(&self) -> Result<PgConnection, StoreError> {
        if let Some(file) = &self.options.root_certificates {
            // The driver's own error names no file.
            let read = tokio::fs::read(file).await;
            read.map_err(|error| StoreError::Unavailable(format!("sslrootcert: {}", file_problem(file, &error))))?;
        }
        let options = connect_options(&self.options);
        let mut connection = options.connect().await.map_err(|error| unavailable(self.rights.explain_login(error)))?;
        if is_read_only(&mut connection).await.map_err(unavailable)? {
            close(connection).await;
            return Err(StoreError::Unavailable("PostgreSQL is read-only: it is a standby, or became one".to_owned()));
        }
        Ok(connection)
    }

    /// Opens a connection for work that may take long, such as a migration: statements, waits for locks and idle time
    /// have no limit there. The server ends the work if this process ends, and sends keep-alives, so that no firewall
    /// drops a silent connection.
    pub(super) async fn connect_for_long_work(&self) -> Result<PgConnection, StoreError> {
        let mut connection = self.connect().await?;
        sqlx::query(UNLIMITED).fetch_all(&mut connection).await.map_err(unavailable)?;
        // Some platforms cannot notice that a client has gone.
        let _unsupported = sqlx::query(NOTICES_OUR_END).fetch_all(&mut connection).await;
        Ok(connection)
    }

    /// Opens a connection that can write, and wraps it in a session.
    pub(super) async fn session(&self) -> Result<Session, StoreError> {
        let opened_in = self.generation.current();
        Ok(self.session_on(Box::new(self.connect().await?), opened_in))
    }

    /// Wraps a connection in a session. `opened_in` is the value of the failover counter ([`Self::generation`]) when
    /// the connection was opened. If the counter has changed, the session is not used again.
    pub(super) fn session_on<C: DerefMut<Target = PgConnection>>(&self, connection: C, opened_in: u64) -> Session<C> {
        let within = self.options.waits.statement;
        Session::new(connection, within, self.generation.clone(), opened_in, self.rights.clone())
    }

    /// Returns a pool of reading connections, which are opened when first used. `opened_in` is the current value of the
    /// failover counter ([`Self::generation`]). If a new connection finds a read-only server, all connections are
    /// replaced.
    pub(super) fn pool(&self, opened_in: u64) -> PgPool {
        let generation = self.generation.clone();
        PgPoolOptions::new()
            .max_connections(self.options.readers)
            .acquire_timeout(self.options.waits.acquire)
            .after_connect(move |connection, _| {
                let generation = generation.clone();
                Box::pin(async move {
                    if is_read_only(connection).await? {
                        generation.retire(opened_in);
                    }
                    Ok(())
                })
            })
            .connect_lazy_with(connect_options(&self.options))
    }

    /// Checks that the server's settings do not lose committed records.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] says which setting to change.
    pub(super) async fn check_settings(&self) -> Result<(), StoreError> {
        let mut connection = self.connect().await?;
        let checked = check_settings(&mut connection, &server_limit(&self.options)).await;
        close(connection).await;
        checked
    }
}

/// Returns the time limit that the PostgreSQL server enforces on a statement, on a wait for a lock, and on an idle
/// transaction, in milliseconds: nine tenths of our own limit, so that a working server ends a statement before we drop
/// the connection.
fn server_limit(options: &PostgresOptions) -> String {
    (options.waits.statement.as_millis() * 9 / 10).to_string()
}

/// Returns the driver's options. Sets every option, so that the driver takes none from the environment or from a file
/// in a home folder.
fn connect_options(options: &PostgresOptions) -> PgConnectOptions {
    let limit = server_limit(options);
    let mode = match options.tls {
        Tls::Disable => PgSslMode::Disable,
        Tls::Require => PgSslMode::Require,
        Tls::VerifyCa => PgSslMode::VerifyCa,
        Tls::VerifyFull => PgSslMode::VerifyFull,
    };
    let mut connect = PgConnectOptions::new_without_pgpass()
        .port(options.port)
        .username(&options.user)
        .database(&options.database)
        .ssl_mode(mode)
        .application_name("buildpass")
        .options([
            ("statement_timeout", limit.as_str()),
            ("lock_timeout", limit.as_str()),
            ("idle_in_transaction_session_timeout", limit.as_str()),
        ])
        .log_slow_statements(tracing::log::LevelFilter::Off, Duration::from_secs(1));
    connect = if options.host.starts_with('/') { connect.socket(&options.host) } else { connect.host(&options.host) };
    if let Some(password) = &options.password {
        connect = connect.password(password.expose_secret());
    }
    match &options.root_certificates {
        Some(file) => connect.ssl_root_cert(file),
        None => connect,
    }
}

async fn is_read_only(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let read_only: String =
        sqlx::query_scalar("select current_setting('transaction_read_only')").fetch_one(&mut *connection).await?;
    Ok(read_only != "off")
}

async fn check_settings(connection: &mut PgConnection, limit: &str) -> Result<(), StoreError> {
    let row = sqlx::query(
        "select cast(current_setting('server_version_num') as integer) as version, \
                current_setting('synchronous_commit') as synchronous_commit, \
                current_setting('fsync', true) as fsync, \
                current_setting('full_page_writes', true) as full_page_writes, \
                (select setting from pg_settings where name = 'statement_timeout') as statement_timeout",
    )
    .fetch_one(connection)
    .await
    .map_err(unavailable)?;
    let refuse = |text: &str| Err(StoreError::Unavailable(text.to_owned()));
    let text = |name: &str| row.try_get::<Option<String>, _>(name).map_err(unavailable).map(Option::unwrap_or_default);
    if row.try_get::<i32, _>("version").map_err(unavailable)? < OLDEST {
        return refuse("PostgreSQL is older than version 15");
    }
    if text("synchronous_commit")? == "off" {
        return refuse(
            "synchronous_commit is off: if PostgreSQL crashes, the record of an issued token may be lost. Set it \
             on for this database: alter database … set synchronous_commit = on",
        );
    }
    if text("statement_timeout")? != limit {
        return refuse(POOLER);
    }
    for name in ["fsync", "full_page_writes"] {
        if text(name)? == "off" {
            tracing::warn!("{name} is off on the PostgreSQL server: a record may be lost when its machine crashes");
        }
    }
    Ok(())
}
