//! Sources of the keys with which a provider signs tokens. An implementation must never return a key that is not the
//! provider's.

use std::sync::Arc;

use async_trait::async_trait;

use super::FetchError;
use super::remote::read_keys;
use crate::base::{Moment, Seconds};
use crate::jose::{KeySet, VerificationKey};

/// Error returned when a source cannot return the key with a given `kid`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySourceError {
    /// The provider's current key set has no key with this `kid`.
    Unknown,
    /// No current key set of the provider is available.
    Unavailable {
        /// Cause of the last failure to get the key set, without any secret.
        reason: String,
        /// Time after which a retry may succeed.
        retry_after: Seconds,
    },
}

/// Source of the keys of one provider.
#[async_trait]
pub trait KeySource: Send + Sync + 'static {
    /// Returns the number of the current key set, which changes when the keys change; `None` if no key set may be used
    /// now. A cached token that was verified under another number is verified again.
    fn generation(&self) -> Option<u64>;

    /// Returns the key with this `kid`, and the number ([`Self::generation`]) of the key set that contains the key.
    ///
    /// # Errors
    /// [`KeySourceError::Unknown`] if the current key set lacks the key, [`KeySourceError::Unavailable`] if there is no
    /// current key set.
    async fn find(&self, kid: &str) -> Result<(Arc<VerificationKey>, u64), KeySourceError>;

    /// Uses the stored key set `document`, which was fetched at `fetched_at`, until the source fetches a key set
    /// itself. Sources that fetch nothing ignore the call.
    fn begin_with(&self, _document: &[u8], _fetched_at: Moment) {}

    /// Returns the provider's key set and discovery document that were fetched last, if any.
    fn fetched(&self) -> Option<Fetched> {
        None
    }
}

/// The key set and discovery document of a provider, as they were fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Bytes of the provider's key set.
    pub jwks: Vec<u8>,
    /// Discovery document of the provider, if the key set was found through that document.
    pub configuration: Option<Vec<u8>>,
    /// Time at which the documents were fetched.
    pub at: Moment,
}

/// Key source with a fixed key set, which the configuration contains and which never changes.
#[derive(Debug)]
pub struct FixedKeys(KeySet);

impl FixedKeys {
    /// Parses a key set (RFC 7517 §5).
    ///
    /// # Errors
    /// [`FetchError`] if the document is not a key set, has no usable key or has too many keys.
    pub fn read(document: &[u8]) -> Result<Self, FetchError> {
        read_keys("jwks", document).map(Self)
    }

    /// Returns the fixed key set.
    #[must_use]
    pub const fn keys(&self) -> &KeySet {
        &self.0
    }
}

#[async_trait]
impl KeySource for FixedKeys {
    fn generation(&self) -> Option<u64> {
        Some(0)
    }

    async fn find(&self, kid: &str) -> Result<(Arc<VerificationKey>, u64), KeySourceError> {
        self.0.find(kid).map(|key| (key, 0)).ok_or(KeySourceError::Unknown)
    }
}
