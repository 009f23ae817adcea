//! Caches tokens with a verified signature, so that a token that is presented again costs a digest instead of a
//! signature check. Never caches a result that time or a database can change, and never returns a token of a former key
//! set.

use std::sync::Arc;

use quick_cache::sync::Cache;

use super::{Claims, ProviderKind};
use crate::base::Sha256;
use crate::jose::SignatureAlgorithm;

/// Maximum number of cached tokens per provider. Only tokens with a valid signature are cached, so an attacker cannot
/// fill the cache.
const CAPACITY: usize = 4_096;

/// A token whose signature was verified. Holds only what follows from the token's bytes and the key.
#[derive(Debug)]
pub(crate) struct SignedToken {
    pub(crate) claims: Claims,
    pub(super) kid: String,
    pub(super) algorithm: SignatureAlgorithm,
    /// SHA-256 of the token's header, dot and payload, without the signature.
    pub(crate) digest: Sha256,
}

impl SignedToken {
    pub(crate) fn id(&self) -> Option<&str> {
        ProviderKind::token_ids().find_map(|claim| self.claims.filled(claim))
    }
}

pub(super) struct TokenCache(Cache<Sha256, (u64, Arc<SignedToken>)>);

impl Default for TokenCache {
    fn default() -> Self {
        Self(Cache::new(CAPACITY))
    }
}

impl TokenCache {
    /// Returns the cached token whose whole text has the digest `whole`, if the token was verified under the key set
    /// with the number `generation`.
    pub(super) fn find(&self, whole: &Sha256, generation: u64) -> Option<Arc<SignedToken>> {
        let (of, signed) = self.0.get(whole)?;
        if of == generation {
            return Some(signed);
        }
        self.0.remove(whole);
        None
    }

    pub(super) fn keep(&self, whole: Sha256, generation: u64, signed: &Arc<SignedToken>) {
        self.0.insert(whole, (generation, Arc::clone(signed)));
    }
}
