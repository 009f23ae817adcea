//! Where the keys of a provider come from. Whoever implements it never hands out a key that is not the provider's.

use std::sync::Arc;

use async_trait::async_trait;

use super::FetchError;
use super::remote::read_keys;
use crate::base::{Moment, Seconds};
use crate::jose::{KeySet, VerificationKey};

/// Why there is no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySourceError {
    /// The key set, which is fresh enough to tell, has no key of this name.
    Unknown,
    /// There is no key set that could tell.
    Unavailable {
        /// Why, without any secret.
        reason: String,
        /// When it is worth trying again.
        retry_after: Seconds,
    },
}

/// A provider's keys.
#[async_trait]
pub trait KeySource: Send + Sync + 'static {
    /// Which key set is held, as a number that changes with it; none where no set may be used now. What was verified
    /// under another set is verified anew.
    fn generation(&self) -> Option<u64>;

    /// The key of this name, with the number of the set that it was taken from.
    ///
    /// # Errors
    /// [`KeySourceError`].
    async fn find(&self, kid: &str) -> Result<(Arc<VerificationKey>, u64), KeySourceError>;

    /// A key set that somebody fetched at that moment, to begin with where none was fetched yet. Sources that fetch
    /// nothing have no use for it.
    fn begin_with(&self, _document: &[u8], _fetched_at: Moment) {}

    /// What was fetched last, where anything was: discovery document, key set, and when.
    fn fetched(&self) -> Option<Fetched> {
        None
    }
}

/// A provider's documents as they were fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The key set.
    pub jwks: Vec<u8>,
    /// The discovery document, where there is one.
    pub configuration: Option<Vec<u8>>,
    /// When.
    pub at: Moment,
}

/// A key set that is written down, and never changes.
#[derive(Debug)]
pub struct FixedKeys(KeySet);

impl FixedKeys {
    /// Reads a key set (RFC 7517 §5) that is written down.
    ///
    /// # Errors
    /// [`FetchError`] when the document is none, or holds no key that can be used.
    pub fn read(document: &[u8]) -> Result<Self, FetchError> {
        read_keys("jwks", document).map(Self)
    }

    /// The set.
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
