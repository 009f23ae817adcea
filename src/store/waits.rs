//! Time limits of the store's waits. Every wait of a request for the database has a limit, so that a database that
//! stops answering is noticed long before a client gives up.

use std::time::Duration;

/// Time limits of one store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreWaits {
    /// Maximum time of one statement in PostgreSQL, which includes the wait for a lock that another session holds.
    pub statement: Duration,
    /// With PostgreSQL, the maximum wait for a connection, including the time to open one. With SQLite, the maximum
    /// wait for the lock of the file.
    pub acquire: Duration,
}

impl StoreWaits {
    /// Returns the maximum time for which a caller waits for the answer to a write.
    #[must_use]
    pub(super) fn answer(&self) -> Duration {
        self.acquire + self.statement
    }
}

impl Default for StoreWaits {
    fn default() -> Self {
        Self { statement: Duration::from_secs(5), acquire: Duration::from_secs(2) }
    }
}
