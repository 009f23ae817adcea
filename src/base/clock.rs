//! A source of the current time. Only this file may read the system's clocks; all other code receives a `Moment`, or
//! reads an injected `Clock`.

use std::time::{Duration, Instant};

use super::moment::Moment;

/// A source of the current time.
///
/// Offers a wall clock and a monotonic clock, because the wall clock may jump and the monotonic clock cannot name a
/// date.
pub trait Clock: Send + Sync + 'static {
    /// Returns the wall clock's time in milliseconds since 1970, UTC. Used to compare the clocks of two machines; never
    /// stored.
    fn millis(&self) -> i64;

    /// Returns the wall clock's time in whole seconds, rounded down.
    fn now(&self) -> Moment {
        Moment::from_unix(self.millis().div_euclid(1_000))
    }

    /// Returns the time that has passed since a fixed instant of this process. The time never decreases.
    fn monotonic(&self) -> Duration;
}

/// The operating system's wall clock and monotonic clock.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// Creates a clock whose monotonic time starts at zero now.
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
