//! Sources of a provider's keys. An implementation must never return a key that is not the provider's.

use std::sync::Arc;

use async_trait::async_trait;

use super::FetchError;
use super::remote::read_keys;
use crate::base::{Moment, Seconds};
use crate::jose::{KeySet, VerificationKey};

/// Error returned when a source has no key of a given name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySourceError {
    /// The current key set has no key of this name.
    Unknown,
    /// No current key set is available.
    Unavailable {
        /// Cause of the last failure, without any secret.
        reason: String,
        /// Time after which a retry may succeed.
        retry_after: Seconds,
    },
}

/// Source of a provider's keys.
#[async_trait]
pub trait KeySource: Send + Sync + 'static {
    /// Returns a number that changes with the key set; `None` if no set may be used now. Tokens that were verified under
    /// another generation are verified again.
    fn generation(&self) -> Option<u64>;

    /// Returns the key with this `kid`, and the generation of its key set.
    ///
    /// # Errors
    /// [`KeySourceError::Unknown`] if the current set lacks the key, [`KeySourceError::Unavailable`] if there is no current
    /// set.
    async fn find(&self, kid: &str) -> Result<(Arc<VerificationKey>, u64), KeySourceError>;

    /// Sets the initial key set to one that was fetched earlier, if none was fetched yet. Sources that fetch nothing
    /// ignore it.
    fn begin_with(&self, _document: &[u8], _fetched_at: Moment) {}

    /// Returns the documents that were fetched last, if any.
    fn fetched(&self) -> Option<Fetched> {
        None
    }
}

/// Documents of a provider, as fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Bytes of the key set.
    pub jwks: Vec<u8>,
    /// Discovery document, if the key set was found by one.
    pub configuration: Option<Vec<u8>>,
    /// Time of the fetch.
    pub at: Moment,
}

/// Key set from the configuration, which never changes.
#[derive(Debug)]
pub struct FixedKeys(KeySet);

impl FixedKeys {
    /// Reads a key set (RFC 7517 §5).
    ///
    /// # Errors
    /// [`FetchError`] if the document is not a key set or holds no usable key.
    pub fn read(document: &[u8]) -> Result<Self, FetchError> {
        read_keys("jwks", document).map(Self)
    }

    /// Returns the key set.
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
