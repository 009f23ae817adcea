//! Options of the store in a file.

use std::time::Duration;

use crate::store::in_flight::InFlight;

/// Options of the store in a file.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// Counter of tokens that are being signed: while it is not zero, a group waits for more tokens before it is committed.
    pub pending: InFlight,
    /// Maximum time that a group waits; zero to commit at once.
    pub linger: Duration,
    /// Maximum number of reading connections; each is a thread.
    pub readers: u32,
    /// Time to wait for the lock of another process.
    pub busy_timeout: Duration,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            pending: InFlight::default(),
            linger: Duration::from_millis(10),
            readers: 4,
            busy_timeout: Duration::from_secs(5),
        }
    }
}
