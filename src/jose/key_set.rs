//! Somebody's key set, ready to check signatures by the names that tokens call its keys by. Never holds a key whose
//! name another one claims too.

use std::collections::BTreeMap;

use super::foreign_jwk::{ForeignJwk, JwkError, JwkSetError, UnusableKey, read_keys};
use super::VerificationKey;

/// The keys that can be used, by `kid`, and those that were passed over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeySet {
    keys: BTreeMap<String, VerificationKey>,
    unusable: Vec<UnusableKey>,
}

impl KeySet {
    /// Reads a key set (RFC 7517 §5). How large the document may be, and how many keys there may be in it, is for
    /// whoever fetched it to say.
    ///
    /// # Errors
    /// [`JwkSetError`] when the document is not a key set at all; a key that can't be used spoils no other.
    pub fn read(document: &[u8]) -> Result<Self, JwkSetError> {
        let (read, mut unusable) = read_keys(document, ForeignJwk::read)?;
        let mut named: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, key) in &read {
            *named.entry(&key.kid).or_default() += 1;
        }
        let mut keys = BTreeMap::new();
        for (index, key) in &read {
            let held = match named.get(key.kid.as_str()) {
                Some(1) => VerificationKey::foreign(key).map_err(|_| JwkError::Kind),
                _ => Err(JwkError::Duplicate),
            };
            match held {
                Ok(held) => drop(keys.insert(key.kid.clone(), held)),
                Err(reason) => unusable.push(UnusableKey { index: *index, reason }),
            }
        }
        unusable.sort_by_key(|key| key.index);
        Ok(Self { keys, unusable })
    }

    /// The key of this name.
    #[must_use]
    pub fn find(&self, kid: &str) -> Option<&VerificationKey> {
        self.keys.get(kid)
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
