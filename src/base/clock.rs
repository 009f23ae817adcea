//! The only reader of the time. Everything else is handed a `Moment`.

use std::time::{Duration, Instant};

use super::Moment;

/// Where *now* comes from.
///
/// Both times are given, because a wall clock may jump and a monotonic one can't name a date.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock in milliseconds since 1970, UTC: for comparing clocks, and for nothing that is stored.
    fn millis(&self) -> i64;

    /// The wall clock in whole seconds, cut off and never rounded up.
    fn now(&self) -> Moment {
        Moment::from_unix(self.millis().div_euclid(1_000))
    }

    /// Time since some fixed instant of this process; it never goes back.
    fn monotonic(&self) -> Duration;
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts at zero.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn millis(&self) -> i64 {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}
