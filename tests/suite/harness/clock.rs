//! A clock that a test moves: both times together, or the wall alone.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use buildpass::base::{Clock, Moment};

pub(crate) struct SettableClock {
    wall: AtomicI64,
    monotonic: AtomicU64,
}

impl SettableClock {
    pub(crate) fn at(now: Moment) -> Self {
        Self { wall: AtomicI64::new(now.unix()), monotonic: AtomicU64::new(0) }
    }

    /// Time passes.
    pub(crate) fn advance(&self, seconds: u64) {
        self.wall.fetch_add(i64::try_from(seconds).unwrap(), Ordering::SeqCst);
        self.monotonic.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl SettableClock {
    /// The wall clock is set, and no time passes.
    pub(crate) fn set(&self, now: Moment) {
        self.wall.store(now.unix(), Ordering::SeqCst);
    }
}

impl Clock for SettableClock {
    fn millis(&self) -> i64 {
        self.wall.load(Ordering::SeqCst) * 1_000
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.monotonic.load(Ordering::SeqCst))
    }
}
