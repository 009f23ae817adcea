//! Limits how often each caller (a client, an address) may call, with token buckets on the injected clock. Never
//! sleeps: a refused call returns the time until the caller's next call is allowed.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::Reference;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use super::clock::Clock;
use super::moment::Seconds;

/// A rate limit that counts the calls of each caller separately. The key `K` names a caller, such as a client or an
/// address.
pub struct Rate<K: Hash + Eq + Clone>(RateLimiter<K, DefaultKeyedStateStore<K>, OurClock, NoOpMiddleware<Reading>>);

impl<K: Hash + Eq + Clone> Rate<K> {
    /// Creates a limit of `per_second` calls in the long run and of `at_once` calls in a burst. `None` (unlimited) if
    /// either number is 0.
    #[must_use]
    pub fn new(per_second: u32, at_once: u32, clock: &Arc<dyn Clock>) -> Option<Self> {
        let quota = Quota::per_second(NonZeroU32::new(per_second)?).allow_burst(NonZeroU32::new(at_once)?);
        Some(Self(RateLimiter::dashmap_with_clock(quota, OurClock(Arc::clone(clock)))))
    }

    /// Counts one call of the caller that `key` names.
    ///
    /// # Errors
    /// The time until the caller's next call is allowed, if this call exceeds the limit.
    pub fn count(&self, key: &K) -> Result<(), Seconds> {
        self.0.check_key(key).map_err(|full| {
            let wait = full.wait_time_from(Reading(self.0.clock().0.monotonic()));
            Seconds::new(wait.as_secs().saturating_add(1))
        })
    }

    /// Drops the count of each caller that has made no call for so long that a full burst is allowed again. Keeps the
    /// memory from growing.
    pub fn forget_idle(&self) {
        self.0.retain_recent();
    }
}

/// Adapts the injected clock to the `governor` crate's limiter.
#[derive(Clone)]
struct OurClock(Arc<dyn Clock>);

impl governor::clock::Clock for OurClock {
    type Instant = Reading;

    fn now(&self) -> Reading {
        Reading(self.0.monotonic())
    }
}

/// A time that was read from the monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Reading(Duration);

impl std::ops::Add<governor::nanos::Nanos> for Reading {
    type Output = Self;

    fn add(self, length: governor::nanos::Nanos) -> Self {
        Self(self.0.saturating_add(length.into()))
    }
}

impl Reference for Reading {
    fn duration_since(&self, earlier: Self) -> governor::nanos::Nanos {
        self.0.saturating_sub(earlier.0).into()
    }

    fn saturating_sub(&self, length: governor::nanos::Nanos) -> Self {
        Self(self.0.saturating_sub(length.into()))
    }
}
