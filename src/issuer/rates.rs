//! Rate limits of request tokens, builds and clients: token buckets with a burst of ten seconds, since the jobs of one
//! build start together.

use std::hash::Hash;
use std::sync::Arc;

use super::refusal::IssueRefusal;
use crate::base::{BuildId, ClientId, Clock, Rate, RequestTokenId};

/// Burst of a bucket, in seconds of its sustained rate.
const BURST_SECONDS: u32 = 10;

/// Rate limits of one issuer.
pub(crate) struct Rates {
    builds: Option<Rate<BuildId>>,
    tokens: Option<Rate<RequestTokenId>>,
    clients: Option<Rate<ClientId>>,
}

impl Rates {
    /// Creates rate limits from sustained rates per second; 0 is unlimited.
    #[must_use]
    pub(crate) fn new(build_per_second: u32, client_per_second: u32, clock: &Arc<dyn Clock>) -> Self {
        Self {
            builds: rate(build_per_second, clock),
            tokens: rate(build_per_second, clock),
            clients: rate(client_per_second, clock),
        }
    }

    /// Counts one request with a request token or worker token. Each token has a rate of its own, so that a step in a
    /// loop does not slow down other steps or the worker.
    ///
    /// # Errors
    /// [`IssueRefusal::RateLimited`].
    pub(crate) fn count_token(&self, token: RequestTokenId) -> Result<(), IssueRefusal> {
        count(self.tokens.as_ref(), &token)
    }

    /// Counts one direct token towards the rate of its build.
    ///
    /// # Errors
    /// [`IssueRefusal::RateLimited`].
    pub(crate) fn count_build(&self, build: BuildId) -> Result<(), IssueRefusal> {
        count(self.builds.as_ref(), &build)
    }

    /// Counts one request towards the rate of its client.
    ///
    /// # Errors
    /// [`IssueRefusal::RateLimited`].
    pub(crate) fn count_client(&self, client: &ClientId) -> Result<(), IssueRefusal> {
        count(self.clients.as_ref(), client)
    }

    /// Drops full buckets, which hold no information.
    pub(crate) fn forget_idle(&self) {
        if let Some(builds) = &self.builds {
            builds.forget_idle();
        }
        if let Some(tokens) = &self.tokens {
            tokens.forget_idle();
        }
        if let Some(clients) = &self.clients {
            clients.forget_idle();
        }
    }
}

fn rate<K: Hash + Eq + Clone>(per_second: u32, clock: &Arc<dyn Clock>) -> Option<Rate<K>> {
    Rate::new(per_second, per_second.saturating_mul(BURST_SECONDS), clock)
}

fn count<K: Hash + Eq + Clone>(rate: Option<&Rate<K>>, key: &K) -> Result<(), IssueRefusal> {
    rate.map_or(Ok(()), |rate| rate.count(key)).map_err(|retry_after| IssueRefusal::RateLimited { retry_after })
}
