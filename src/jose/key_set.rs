//! Somebody's key set, ready to check signatures by the names that tokens call its keys by. Never holds a key whose
//! name another one claims too.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::check::VerificationKey;
use super::foreign_jwk::{ForeignJwk, JwkError, JwkSetError, UnusableKey, part, read_keys};

/// The keys that can be used, by `kid`, and those that were passed over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeySet {
    keys: BTreeMap<String, Arc<VerificationKey>>,
    unusable: Vec<UnusableKey>,
}

impl KeySet {
    /// Reads a key set (RFC 7517 §5). How large the document may be, and how many keys there may be in it, is for
    /// whoever fetched it to say.
    ///
    /// # Errors
    /// [`JwkSetError`] when the document is not a key set at all; a key that can't be used spoils no other.
    pub fn read(document: &[u8]) -> Result<Self, JwkSetError> {
        let read = read_keys(document, ForeignJwk::read)?;
        let mut request_token_cache: BTreeMap<String, usize> = BTreeMap::new();
        for key in read.iter().flatten() {
            *request_token_cache.entry(key.kid.clone()).or_default() += 1;
        }
        let ready = |key: ForeignJwk| match request_token_cache.get(&key.kid) {
            Some(1) => Ok((key.kid.clone(), Arc::new(VerificationKey::foreign(&key).map_err(|_| JwkError::Kind)?))),
            _ => Err(JwkError::Duplicate),
        };
        let (keys, unusable) = part(read.into_iter().map(|key| key.and_then(ready)).collect());
        Ok(Self { keys: keys.into_iter().collect(), unusable })
    }

    /// The key of this name.
    #[must_use]
    pub fn find(&self, kid: &str) -> Option<Arc<VerificationKey>> {
        self.keys.get(kid).cloned()
    }

    /// The names, in order.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    /// How many keys can be used.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Can none be used?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Those that were passed over, each with the reason.
    #[must_use]
    pub fn unusable(&self) -> &[UnusableKey] {
        &self.unusable
    }
}
