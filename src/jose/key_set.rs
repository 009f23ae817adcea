//! The key set of another issuer, from which the verifier finds a key by `kid`. A key set never holds two keys with the
//! same `kid`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::check::VerificationKey;
use super::foreign_jwk::{ForeignJwk, JwkError, JwkSetError, UnusableKey, partition, read_keys};

/// The usable keys of another issuer's key set by their `kid`, and the skipped keys with the reasons.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeySet {
    keys: BTreeMap<String, Arc<VerificationKey>>,
    unusable: Vec<UnusableKey>,
}

impl KeySet {
    /// Parses a key set (RFC 7517 §5). Skips unusable keys. Code that calls this function must limit the size of the
    /// document.
    ///
    /// # Errors
    /// [`JwkSetError`] if the document is not a key set.
    pub fn read(document: &[u8]) -> Result<Self, JwkSetError> {
        let read = read_keys(document, ForeignJwk::read)?;
        let mut uses_of_kid: BTreeMap<String, usize> = BTreeMap::new();
        for key in read.iter().flatten() {
            *uses_of_kid.entry(key.kid.clone()).or_default() += 1;
        }
        let ready = |key: ForeignJwk| match uses_of_kid.get(&key.kid) {
            Some(1) => Ok((key.kid.clone(), Arc::new(VerificationKey::foreign(&key).map_err(|_| JwkError::Kind)?))),
            _ => Err(JwkError::Duplicate),
        };
        let (keys, unusable) = partition(read.into_iter().map(|key| key.and_then(ready)).collect());
        Ok(Self { keys: keys.into_iter().collect(), unusable })
    }

    /// Returns the usable key with the given `kid`.
    #[must_use]
    pub fn find(&self, kid: &str) -> Option<Arc<VerificationKey>> {
        self.keys.get(kid).cloned()
    }

    /// Returns the `kid` of every usable key, in alphabetical order.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    /// Returns the number of usable keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Returns whether the set has no usable key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns the skipped keys, each with the reason for which it was skipped.
    #[must_use]
    pub fn unusable(&self) -> &[UnusableKey] {
        &self.unusable
    }
}
