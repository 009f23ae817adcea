//! The key source of a provider whose configured files are missing or unreadable when the provider is set up. The
//! source is created as soon as the files can be read. Until then the keys count as unavailable, so that no token is
//! rejected for an unknown key.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::{Fetched, KeySource, KeySourceError, Provider, Resolver};
use crate::base::{Clock, Moment, Seconds};
use crate::jose::VerificationKey;

/// Pause between two attempts to create the source.
const RETRY_AFTER: Seconds = Seconds::new(10);

/// Key source that could not be created when the provider was set up. Each use tries again, but at most once in ten
/// seconds.
pub(crate) struct LateSource {
    provider: Provider,
    clock: Arc<dyn Clock>,
    resolver: Arc<dyn Resolver>,
    made: OnceLock<Arc<dyn KeySource>>,
    /// Time (on the monotonic clock) and cause of the last failure to create the source.
    failed: Mutex<(Duration, String)>,
    /// Stored key set that the source uses first once it is created, and the time at which the key set was fetched.
    begin_with: Mutex<Option<(Vec<u8>, Moment)>>,
}

impl LateSource {
    /// Creates the late source of a provider whose source could not be created. `problem` is the cause.
    pub(crate) fn new(provider: Provider, clock: Arc<dyn Clock>, resolver: Arc<dyn Resolver>, problem: String) -> Self {
        let failed = Mutex::new((clock.monotonic(), problem));
        Self { provider, clock, resolver, made: OnceLock::new(), failed, begin_with: Mutex::default() }
    }

    /// Returns the source, and creates it if possible. On failure returns the cause and the time until the next
    /// attempt.
    fn source(&self) -> Result<&Arc<dyn KeySource>, (String, Seconds)> {
        if let Some(source) = self.made.get() {
            return Ok(source);
        }
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.monotonic();
        let left = RETRY_AFTER.duration().saturating_sub(now.saturating_sub(failed.0));
        if !left.is_zero() {
            return Err((failed.1.clone(), Seconds::new(left.as_secs().max(1))));
        }
        match self.provider.source(&self.clock, &self.resolver) {
            Ok(source) => {
                let kept = self.begin_with.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some((document, fetched_at)) = kept {
                    source.begin_with(&document, fetched_at);
                }
                Ok(self.made.get_or_init(|| source))
            }
            Err(error) => {
                *failed = (now, error.to_string());
                Err((failed.1.clone(), RETRY_AFTER))
            }
        }
    }
}

#[async_trait]
impl KeySource for LateSource {
    fn generation(&self) -> Option<u64> {
        self.source().ok()?.generation()
    }

    async fn find(&self, kid: &str) -> Result<(Arc<VerificationKey>, u64), KeySourceError> {
        match self.source() {
            Ok(source) => source.find(kid).await,
            Err((reason, retry_after)) => Err(KeySourceError::Unavailable { reason, retry_after }),
        }
    }

    fn begin_with(&self, document: &[u8], fetched_at: Moment) {
        match self.made.get() {
            Some(source) => source.begin_with(document, fetched_at),
            None => {
                *self.begin_with.lock().unwrap_or_else(PoisonError::into_inner) = Some((document.to_vec(), fetched_at));
            }
        }
    }

    fn fetched(&self) -> Option<Fetched> {
        self.made.get()?.fetched()
    }
}
