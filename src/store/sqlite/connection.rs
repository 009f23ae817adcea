//! Opens connections to a SQLite file. A writing connection never has less than `synchronous = FULL` in WAL mode, and a
//! new file is never readable by other users of the machine.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::fs::Access;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::fault::{is_busy, unavailable};
use crate::base::file_problem;
use crate::store::{StoreError, StoreWaits};

/// Size of the writing connection's page cache: 16 MiB, enough for the inner pages of the indexes on many audit
/// records.
const WRITER_CACHE_KIB: &str = "-16384";

/// Number of pages in the write-ahead log at which a checkpoint copies the pages into the file. Each record changes the
/// last pages of an index again, so that rarer checkpoints copy fewer pages in total. After a crash SQLite reads at
/// most this number of pages again.
const CHECKPOINT_PAGES: &str = "4000";

/// Pause between attempts to get a lock that SQLite itself does not wait for.
const RETRY: Duration = Duration::from_millis(20);

/// Largest limit of pages that SQLite accepts, which stands for no limit.
const UNLIMITED: u32 = 4_294_967_294;

/// Settings of a writing connection, as SQLite reports them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Journal mode, which must be `wal`.
    pub journal_mode: String,
    /// Level of `synchronous`, which must be 2 (`FULL`).
    pub synchronous: i64,
    /// Whether foreign keys are enforced.
    pub foreign_keys: bool,
    /// Whether views and triggers of the schema may call functions with side effects.
    pub trusted_schema: bool,
    /// Time for which a transaction waits while another process holds the lock of the file.
    pub busy_timeout: Duration,
}

/// Opens connections to one SQLite file.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    path: PathBuf,
    waits: StoreWaits,
    /// Maximum number of pages of the file; 0 for no limit.
    pages: Arc<AtomicU32>,
}

impl Connector {
    /// Creates the file and its folder if missing; only the owner can read either.
    pub(super) async fn prepare(path: &Path, waits: StoreWaits) -> Result<Self, StoreError> {
        // SQLite cannot mistake an absolute path for a URI or for `:memory:`.
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        create_file(&absolute).await.map_err(|error| StoreError::Unavailable(file_problem(&absolute, &error)))?;
        Ok(Self { path: absolute, waits, pages: Arc::default() })
    }

    /// Returns the absolute path of the file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the maximum time for which a caller waits for the answer to a write.
    pub(super) fn answer_within(&self) -> Duration {
        self.waits.answer()
    }

    /// Returns the maximum time for which a transaction waits while another process holds the lock of the file.
    pub(super) fn lock_within(&self) -> Duration {
        self.waits.acquire
    }

    fn options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(&self.path)
            .create_if_missing(false)
            .busy_timeout(self.waits.acquire)
            .foreign_keys(true)
            .pragma("trusted_schema", "off")
            // No statement is logged: the statements of the writing task are long, and metrics report slow statements.
            .disable_statement_logging()
    }

    /// If a file of the database or its folder cannot be written, adds this problem to the error, since SQLite's own
    /// texts name no file.
    pub(super) fn explain(&self, error: StoreError) -> StoreError {
        match (error, self.unwritable()) {
            (StoreError::Unavailable(text), Some(problem)) => StoreError::Unavailable(format!("{text}: {problem}")),
            (error, _) => error,
        }
    }

    /// Returns the problem with the first file that SQLite needs and this process may not write. Opens no file, because
    /// closing a file would end the locks that this process has on it.
    fn unwritable(&self) -> Option<String> {
        let beside = ["", "-wal", "-shm"].map(|end| {
            let mut name = self.path.as_os_str().to_owned();
            name.push(end);
            PathBuf::from(name)
        });
        let folder = self.path.parent().map(Path::to_owned);
        // SQLite creates and removes files in the folder.
        beside.into_iter().chain(folder).find_map(|file| {
            let access = rustix::fs::access(&file, Access::READ_OK | Access::WRITE_OK);
            let error = io::Error::from(access.err()?);
            (error.kind() != io::ErrorKind::NotFound).then(|| file_problem(&file, &error))
        })
    }

    /// Opens a connection that can write.
    pub(super) async fn connect(&self) -> Result<SqliteConnection, StoreError> {
        self.try_connect().await.map_err(|error| self.explain(error))
    }

    async fn try_connect(&self) -> Result<SqliteConnection, StoreError> {
        let options = self
            .options()
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("cache_size", WRITER_CACHE_KIB)
            // A statement that writes many rows keeps a rollback copy, which in a file would cost as much as the log.
            .pragma("temp_store", "memory")
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES);
        let mut waited = Duration::ZERO;
        // SQLite does not wait for the lock while two processes switch a new file to WAL mode.
        let mut connection = loop {
            match options.connect().await {
                Ok(connection) => break connection,
                Err(error) if is_busy(&error) && waited < self.waits.acquire => {
                    tokio::time::sleep(RETRY).await;
                    waited += RETRY;
                }
                Err(error) => return Err(unavailable(error)),
            }
        };
        let settings = read_settings(&mut connection).await?;
        if settings.journal_mode != "wal" || settings.synchronous != 2 {
            return Err(StoreError::Unavailable(format!(
                "SQLite set journal mode {} and synchronous {}, but wal and 2 are needed: keep the file on a local disk",
                settings.journal_mode, settings.synchronous
            )));
        }
        self.apply_limit(&mut connection).await?;
        Ok(connection)
    }

    /// Returns the pool of reading connections, which are opened when first used.
    pub(super) fn readers(&self, maximum: u32) -> SqlitePool {
        SqlitePoolOptions::new()
            .max_connections(maximum.max(1))
            .acquire_timeout(self.waits.acquire.max(RETRY))
            .max_lifetime(None)
            .idle_timeout(None)
            .test_before_acquire(false)
            .connect_lazy_with(self.options().read_only(true))
    }

    /// Limits the number of pages of the file for connections that are opened from now on; `None` for no limit.
    pub(super) fn limit(&self, pages: Option<u32>) {
        self.pages.store(pages.unwrap_or(0), Ordering::Relaxed);
    }

    /// Sets how long a connection waits while another process holds the lock of the file.
    pub(super) async fn set_busy_timeout(
        &self,
        connection: &mut SqliteConnection,
        within: Duration,
    ) -> Result<(), StoreError> {
        let pragma = sqlx::AssertSqlSafe(format!("pragma busy_timeout = {}", within.as_millis()));
        sqlx::query(pragma).persistent(false).fetch_all(connection).await.map_err(unavailable)?;
        Ok(())
    }

    /// Applies the limit of the file's pages to an open connection.
    pub(super) async fn apply_limit(&self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let pages = match self.pages.load(Ordering::Relaxed) {
            0 => UNLIMITED,
            pages => pages,
        };
        // A pragma accepts no bound values; a number needs no escaping.
        let pragma = sqlx::AssertSqlSafe(format!("pragma max_page_count = {pages}"));
        sqlx::query(pragma).persistent(false).fetch_all(connection).await.map_err(unavailable)?;
        Ok(())
    }
}

/// Reads the settings of a writing connection from SQLite.
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

/// Closes a connection; a failure to close has no consequence.
pub(in crate::store) async fn close(connection: SqliteConnection) {
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "closing a connection to the database failed");
    }
}

async fn create_file(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        let mut builder = tokio::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        builder.mode(0o700);
        builder.create(folder).await?;
    }
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    match options.open(path).await {
        Ok(file) => restrict_to_owner(&file).await,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Sets the file's mode to 0600 whatever the umask is. SQLite gives the log and the shared-memory file the same mode.
#[cfg(unix)]
async fn restrict_to_owner(file: &tokio::fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o600)).await
}

#[cfg(not(unix))]
async fn restrict_to_owner(_file: &tokio::fs::File) -> io::Result<()> {
    Ok(())
}
