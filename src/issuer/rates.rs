//! Rates of builds and clients: token buckets that hold ten seconds' worth, since a build's jobs start together.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::Reference;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use super::Refusal;
use crate::base::{BuildId, ClientId, Clock, RequestTokenId, Seconds};

/// How many seconds' worth a bucket holds.
const BURST_SECONDS: u32 = 10;

/// The rates of one issuer.
pub struct Rates {
    builds: Option<Limiter<BuildId>>,
    tokens: Option<Limiter<RequestTokenId>>,
    clients: Option<Limiter<ClientId>>,
}

type Limiter<K> = RateLimiter<K, DefaultKeyedStateStore<K>, OurClock, NoOpMiddleware<Reading>>;

impl Rates {
    /// Rates per second; 0 is no limit.
    #[must_use]
    pub fn new(build_per_second: u32, client_per_second: u32, clock: &Arc<dyn Clock>) -> Self {
        Self {
            builds: limiter(build_per_second, clock),
            tokens: limiter(build_per_second, clock),
            clients: limiter(client_per_second, clock),
        }
    }

    /// Counts one request with a request token or worker token. Each has a rate of its own, so that a step that loops
    /// takes nothing from another step, nor from the worker.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`].
    pub fn count_token(&self, token: RequestTokenId) -> Result<(), Refusal> {
        count(self.tokens.as_ref(), &token)
    }

    /// Counts one direct token of a build.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`].
    pub fn count_build(&self, build: BuildId) -> Result<(), Refusal> {
        count(self.builds.as_ref(), &build)
    }

    /// Counts one request of a client.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`].
    pub fn count_client(&self, client: &ClientId) -> Result<(), Refusal> {
        count(self.clients.as_ref(), client)
    }

    /// Drops the buckets that are full again.
    pub fn forget_idle(&self) {
        if let Some(builds) = &self.builds {
            builds.retain_recent();
        }
        if let Some(tokens) = &self.tokens {
            tokens.retain_recent();
        }
        if let Some(clients) = &self.clients {
            clients.retain_recent();
        }
    }
}

fn limiter<K: std::hash::Hash + Eq + Clone>(per_second: u32, clock: &Arc<dyn Clock>) -> Option<Limiter<K>> {
    let rate = NonZeroU32::new(per_second)?;
    let burst = NonZeroU32::new(per_second.saturating_mul(BURST_SECONDS))?;
    Some(RateLimiter::dashmap_with_clock(Quota::per_second(rate).allow_burst(burst), OurClock(Arc::clone(clock))))
}

fn count<K: std::hash::Hash + Eq + Clone>(limiter: Option<&Limiter<K>>, key: &K) -> Result<(), Refusal> {
    let Some(limiter) = limiter else { return Ok(()) };
    limiter.check_key(key).map_err(|full| {
        let wait = full.wait_time_from(Reading(limiter.clock().0.monotonic()));
        Refusal::RateLimited { retry_after: Seconds::new(wait.as_secs().saturating_add(1)) }
    })
}

/// Our clock, as the limiter wants to read it.
#[derive(Clone)]
struct OurClock(Arc<dyn Clock>);

impl governor::clock::Clock for OurClock {
    type Instant = Reading;

    fn now(&self) -> Reading {
        Reading(self.0.monotonic())
    }
}

/// One reading of the monotonic clock.
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
