//! Limits the rate of requests per request token, build and client. Each limit allows bursts of ten seconds' worth of
//! requests, since the jobs of one build start together.

use std::hash::Hash;
use std::sync::Arc;

use super::refusal::IssueRefusal;
use crate::base::{BuildId, ClientId, Clock, Rate, RequestTokenId};

/// Largest burst of requests: as many as the sustained rate allows in this number of seconds.
const BURST_SECONDS: u32 = 10;

/// Rate limits of one issuer, with the requests counted so far.
pub(crate) struct Rates {
    builds: Option<Rate<BuildId>>,
    tokens: Option<Rate<RequestTokenId>>,
    clients: Option<Rate<ClientId>>,
}

impl Rates {
    /// Creates rate limits from the allowed requests per second; 0 means no limit.
    #[must_use]
    pub(crate) fn new(build_per_second: u32, client_per_second: u32, clock: &Arc<dyn Clock>) -> Self {
        Self {
            builds: rate(build_per_second, clock),
            tokens: rate(build_per_second, clock),
            clients: rate(client_per_second, clock),
        }
    }

    /// Counts one request made with a request token or worker token. Each token has a rate limit of its own, so that a
    /// step in a loop does not slow down other steps or the worker.
    ///
    /// # Errors
    /// [`IssueRefusal::RateLimited`].
    pub(crate) fn count_token(&self, token: RequestTokenId) -> Result<(), IssueRefusal> {
        count(self.tokens.as_ref(), &token)
    }

    /// Counts one ID token that a CI server requests directly, towards the rate limit of the build.
    ///
    /// # Errors
    /// [`IssueRefusal::RateLimited`].
    pub(crate) fn count_build(&self, build: BuildId) -> Result<(), IssueRefusal> {
        count(self.builds.as_ref(), &build)
    }

    /// Counts one request of a client towards the client's rate limit.
    ///
    /// # Errors
    /// [`IssueRefusal::RateLimited`].
    pub(crate) fn count_client(&self, client: &ClientId) -> Result<(), IssueRefusal> {
        count(self.clients.as_ref(), client)
    }

    /// Drops the counts of tokens, builds and clients with no request for so long that a full burst is allowed again.
    /// Keeps the memory from growing.
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
