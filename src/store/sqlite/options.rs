//! How the store in a file is run.

use std::time::Duration;

use crate::store::in_flight::InFlight;

/// How the store is run.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// Tokens that are being signed: while there are some, those that wait to be recorded wait a little longer.
    pub pending: InFlight,
    /// How long they wait at most; zero for never.
    pub linger: Duration,
    /// Connections that read, at most; each is a thread.
    pub readers: u32,
    /// How long another process's lock is waited for.
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
