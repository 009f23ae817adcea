//! Gives the verifier the public keys of our own issuer. The keys are read from the keyring and never fetched.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::Keyring;
use crate::base::{Clock, Seconds};
use crate::jose::{Jwk, VerificationKey};
use crate::verifier::{KeySource, KeySourceError};

/// Time after which a client should retry if our keys could not be read.
const RETRY_AFTER: Seconds = Seconds::new(5);

/// Source of the public keys that our own issuer publishes, for the verifier.
pub(crate) struct OwnKeys {
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    /// Version of the key set, and the parsed public keys of that version by `kid`.
    parsed: Mutex<(u64, ParsedKeys)>,
}

type ParsedKeys = Vec<(String, Arc<VerificationKey>)>;

impl OwnKeys {
    /// Creates a source of the keys that `keyring` publishes.
    pub(crate) fn new(keyring: Arc<Keyring>, clock: Arc<dyn Clock>) -> Self {
        Self { keyring, clock, parsed: Mutex::default() }
    }
}

#[async_trait]
impl KeySource for OwnKeys {
    fn generation(&self) -> Option<u64> {
        (!self.keyring.is_stale()).then(|| self.keyring.view().version())
    }

    async fn find(&self, kid: &str) -> Result<(Arc<VerificationKey>, u64), KeySourceError> {
        let unavailable = |reason: String| KeySourceError::Unavailable { reason, retry_after: RETRY_AFTER };
        let now = self.clock.now();
        self.keyring.ready_to_verify(now).await.map_err(|error| unavailable(error.to_string()))?;
        let view = self.keyring.view();
        let published = view.published(now);
        let jwk: &Jwk = published.into_iter().find(|jwk| jwk.kid() == kid).ok_or(KeySourceError::Unknown)?;
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        if parsed.0 != view.version() {
            *parsed = (view.version(), Vec::new());
        }
        if let Some((_, key)) = parsed.1.iter().find(|(known, _)| known == kid) {
            return Ok((Arc::clone(key), view.version()));
        }
        let key = VerificationKey::from_jwk(jwk).map_err(|error| unavailable(error.to_string()))?;
        let key = Arc::new(key);
        parsed.1.push((kid.to_owned(), Arc::clone(&key)));
        Ok((key, view.version()))
    }
}
