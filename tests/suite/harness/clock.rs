//! A clock that a test moves: both times together, or the wall alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use buildpass::base::{Clock, Moment, Seconds, SystemClock};

pub(crate) struct SettableClock {
    wall: AtomicI64,
    monotonic: AtomicU64,
    /// What is added to the clock of the database's server, so that the two agree.
    server_offset: Arc<AtomicI64>,
}

impl SettableClock {
    pub(crate) fn at(now: Moment) -> Self {
        let server_offset = Arc::new(AtomicI64::new(now.unix() * 1_000 - real_millis()));
        Self { wall: AtomicI64::new(now.unix()), monotonic: AtomicU64::new(0), server_offset }
    }

    /// The offset to give to a store on a server.
    pub(crate) fn server_offset(&self) -> Arc<AtomicI64> {
        Arc::clone(&self.server_offset)
    }

    /// Time passes, here and on the database's server.
    pub(crate) fn advance(&self, seconds: u64) {
        self.server_offset.store((self.now() + Seconds::new(seconds)).unix() * 1_000 - real_millis(), Ordering::SeqCst);
        self.wall.fetch_add(i64::try_from(seconds).unwrap(), Ordering::SeqCst);
        self.monotonic.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl SettableClock {
    /// The wall clock is set, and no time passes; the clock of the database's server stays right.
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

fn real_millis() -> i64 {
    SystemClock::new().millis()
}
