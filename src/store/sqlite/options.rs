//! Options of the SQLite store, with their defaults.

use std::time::Duration;

use crate::store::in_flight::InFlight;
use crate::store::waits::StoreWaits;

/// Options with which a SQLite store is opened.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// Counter of tokens that are being signed: while any token is being signed, a group of issued tokens waits for
    /// more before it is committed.
    pub pending: InFlight,
    /// Maximum time for which a group of issued tokens waits for more; zero to commit at once.
    pub linger: Duration,
    /// Maximum number of reading connections; each connection has a thread of its own.
    pub readers: u32,
    /// Time limits of waits; `acquire` limits the wait for another process that holds the lock of the file.
    pub waits: StoreWaits,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            pending: InFlight::default(),
            linger: Duration::from_millis(10),
            readers: 4,
            waits: StoreWaits::default(),
        }
    }
}
