//! Our own key set as the verifier sees it: the keys that we publish, read from the keyring and never fetched.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::Keyring;
use crate::base::{Clock, Seconds};
use crate::jose::{Jwk, VerificationKey};
use crate::verifier::{KeySource, KeySourceError};

/// When it is worth asking again after a fault of ours.
const RETRY_AFTER: Seconds = Seconds::new(5);

/// The keys of our own issuer.
pub struct OwnKeys {
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    /// Those that were made ready, with the version of the key set that they stand in.
    ready: Mutex<(u64, Ready)>,
}

/// Keys by their names.
type Ready = Vec<(String, Arc<VerificationKey>)>;

impl OwnKeys {
    /// The keys of this keyring.
    #[must_use]
    pub fn new(keyring: Arc<Keyring>, clock: Arc<dyn Clock>) -> Self {
        Self { keyring, clock, ready: Mutex::default() }
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
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if ready.0 != view.version() {
            *ready = (view.version(), Vec::new());
        }
        if let Some((_, key)) = ready.1.iter().find(|(known, _)| known == kid) {
            return Ok((Arc::clone(key), view.version()));
        }
        let key = VerificationKey::from_jwk(jwk).map_err(|error| unavailable(error.to_string()))?;
        let key = Arc::new(key);
        ready.1.push((kid.to_owned(), Arc::clone(&key)));
        Ok((key, view.version()))
    }
}
