//! Counter of tokens that are being signed. While any token is being signed, the store's writer waits a moment to
//! commit a larger group.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counter of tokens that are being signed, shared by the signing pool and the store's writer.
#[derive(Debug, Clone, Default)]
pub struct InFlight(Arc<AtomicUsize>);

impl InFlight {
    /// Counts one more token as being signed until the returned guard is dropped.
    #[must_use]
    pub fn enter(&self) -> InFlightGuard {
        self.0.fetch_add(1, Ordering::Relaxed);
        InFlightGuard(Arc::clone(&self.0))
    }

    /// Returns the current number of tokens that are being signed.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Guard of one token that counts as being signed until the guard is dropped.
#[derive(Debug)]
pub struct InFlightGuard(Arc<AtomicUsize>);

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
