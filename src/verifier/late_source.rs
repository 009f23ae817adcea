//! The keys of a provider whose source can't be made yet, for want of a file that it names: made when it can be. Until
//! then there is no key set, which is not the token's fault.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::{Fetched, KeySource, KeySourceError, Provider, Resolver};
use crate::base::{Clock, Moment, Seconds};
use crate::jose::VerificationKey;

/// How long a failure stands before it is tried again.
const AGAIN: Seconds = Seconds::new(10);

/// A source that is made late.
pub(crate) struct LateSource {
    provider: Provider,
    clock: Arc<dyn Clock>,
    resolver: Arc<dyn Resolver>,
    made: OnceLock<Arc<dyn KeySource>>,
    /// When it was tried last, and why it failed.
    failed: Mutex<(Duration, String)>,
    /// What somebody fetched, to begin with.
    begin_with: Mutex<Option<(Vec<u8>, Moment)>>,
}

impl LateSource {
    /// For a provider whose source could not be made just now, and why.
    pub(crate) fn new(provider: Provider, clock: Arc<dyn Clock>, resolver: Arc<dyn Resolver>, problem: String) -> Self {
        let failed = Mutex::new((clock.monotonic(), problem));
        Self { provider, clock, resolver, made: OnceLock::new(), failed, begin_with: Mutex::default() }
    }

    /// The source, or why there is none and when it is tried again.
    fn source(&self) -> Result<&Arc<dyn KeySource>, (String, Seconds)> {
        if let Some(source) = self.made.get() {
            return Ok(source);
        }
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.monotonic();
        let left = AGAIN.duration().saturating_sub(now.saturating_sub(failed.0));
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
                Err((failed.1.clone(), AGAIN))
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
