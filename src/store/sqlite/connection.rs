//! The file, and how connections to it are made. Never opens a connection that writes with less than
//! `synchronous = FULL` in WAL mode, and never leaves a file that others of the machine may read.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::fault::{is_busy, unavailable};
use crate::store::StoreError;

/// The writer's page cache in KiB: the inner pages of the indexes of a large record stay in it.
const WRITER_CACHE_KIB: &str = "-16384";

/// Pages of the log that are carried into the file together. The same pages are written again and again (the ends of
/// the indexes), so a longer log carries fewer of them; after a crash, at most this much is read again.
const CHECKPOINT_PAGES: &str = "4000";

/// How long to wait before asking again for a lock that SQLite does not wait for itself.
const RETRY: Duration = Duration::from_millis(20);

/// The largest number of pages that SQLite knows: no limit.
const UNLIMITED: u32 = 4_294_967_294;

/// How a writing connection is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `wal`.
    pub journal_mode: String,
    /// 2 is `FULL`.
    pub synchronous: i64,
    /// Are references checked?
    pub foreign_keys: bool,
    /// May the schema call functions that are not known to be harmless?
    pub trusted_schema: bool,
    /// How long a lock is waited for.
    pub busy_timeout: Duration,
}

/// Makes connections to one file.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    path: PathBuf,
    busy_timeout: Duration,
    /// Pages that the file may have; 0 for no limit.
    pages: Arc<AtomicU32>,
}

impl Connector {
    /// Makes the folder and the file where they are missing, for their owner alone.
    pub(super) async fn prepare(path: &Path, busy_timeout: Duration) -> Result<Self, StoreError> {
        // An absolute path can't be taken for a URI or for `:memory:`.
        let told = |error: io::Error| StoreError::Unavailable(format!("{}: {error}", path.display()));
        let absolute = std::path::absolute(path).map_err(told)?;
        make_file(&absolute).await.map_err(told)?;
        Ok(Self { path: absolute, busy_timeout, pages: Arc::default() })
    }

    /// Where the file is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(&self.path)
            .create_if_missing(false)
            .busy_timeout(self.busy_timeout)
            .foreign_keys(true)
            .pragma("trusted_schema", "off")
            // The writer's statements are long, and what is slow is told by metrics.
            .disable_statement_logging()
    }

    /// A connection that writes.
    pub(super) async fn connect(&self) -> Result<SqliteConnection, StoreError> {
        let options = self
            .options()
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("cache_size", WRITER_CACHE_KIB)
            // A statement of many rows keeps what it may have to undo; in a file that costs as much as the log.
            .pragma("temp_store", "memory")
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES);
        let mut waited = Duration::ZERO;
        // Two processes that make a file at once both want it in WAL mode, and SQLite waits for no lock then.
        let mut connection = loop {
            match options.connect().await {
                Ok(connection) => break connection,
                Err(error) if is_busy(&error) && waited < self.busy_timeout => {
                    tokio::time::sleep(RETRY).await;
                    waited += RETRY;
                }
                Err(error) => return Err(unavailable(error)),
            }
        };
        let settings = read_settings(&mut connection).await?;
        if settings.journal_mode != "wal" || settings.synchronous != 2 {
            return Err(StoreError::Unavailable(format!(
                "SQLite gives journal mode {} and synchronous {} where wal and 2 are needed: is the file on a network?",
                settings.journal_mode, settings.synchronous
            )));
        }
        self.apply_limit(&mut connection).await?;
        Ok(connection)
    }

    /// Connections that read, opened when first wanted.
    pub(super) fn readers(&self, most: u32) -> SqlitePool {
        SqlitePoolOptions::new()
            .max_connections(most.max(1))
            .acquire_timeout(self.busy_timeout.max(RETRY))
            .max_lifetime(None)
            .idle_timeout(None)
            .test_before_acquire(false)
            .connect_lazy_with(self.options().read_only(true))
    }

    /// How many pages the file may have on connections from now on; `None` for no limit.
    pub(super) fn limit(&self, pages: Option<u32>) {
        self.pages.store(pages.unwrap_or(0), Ordering::Relaxed);
    }

    /// Sets the limit that was asked for on a connection.
    pub(super) async fn apply_limit(&self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let pages = match self.pages.load(Ordering::Relaxed) {
            0 => UNLIMITED,
            pages => pages,
        };
        // A pragma takes no bound values; a number has no quotes to escape.
        let pragma = sqlx::AssertSqlSafe(format!("pragma max_page_count = {pages}"));
        sqlx::query(pragma).persistent(false).fetch_all(connection).await.map_err(unavailable)?;
        Ok(())
    }
}

/// How this connection is set.
pub(super) async fn read_settings(connection: &mut SqliteConnection) -> Result<Settings, StoreError> {
    let journal_mode = sqlx::query_scalar("pragma journal_mode").fetch_one(&mut *connection).await;
    let synchronous = number(connection, "pragma synchronous").await?;
    let foreign_keys = number(connection, "pragma foreign_keys").await?;
    let trusted_schema = number(connection, "pragma trusted_schema").await?;
    let busy_timeout = number(connection, "pragma busy_timeout").await?;
    Ok(Settings {
        journal_mode: journal_mode.map_err(unavailable)?,
        synchronous,
        foreign_keys: foreign_keys != 0,
        trusted_schema: trusted_schema != 0,
        busy_timeout: Duration::from_millis(u64::try_from(busy_timeout).unwrap_or(0)),
    })
}

async fn number(connection: &mut SqliteConnection, pragma: &'static str) -> Result<i64, StoreError> {
    sqlx::query_scalar(pragma).fetch_one(connection).await.map_err(unavailable)
}

/// Closes a connection that is of no more use; what closing says changes nothing.
pub(in crate::store) async fn close(connection: SqliteConnection) {
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "a connection to the database did not close well");
    }
}

async fn make_file(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        let mut maker = tokio::fs::DirBuilder::new();
        maker.recursive(true);
        #[cfg(unix)]
        maker.mode(0o700);
        maker.create(folder).await?;
    }
    let mut opening = tokio::fs::OpenOptions::new();
    opening.write(true).create_new(true);
    #[cfg(unix)]
    opening.mode(0o600);
    match opening.open(path).await {
        Ok(file) => own(&file).await,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// A strict umask must not take the owner's own rights away. SQLite gives its side files the mode of the file.
#[cfg(unix)]
async fn own(file: &tokio::fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o600)).await
}

#[cfg(not(unix))]
async fn own(_file: &tokio::fs::File) -> io::Result<()> {
    Ok(())
}
