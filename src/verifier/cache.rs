//! Cache of tokens with a verified signature: a token that is used again costs a digest instead of a signature check.
//! Holds nothing that time or a database can change, and no token of a former key set.

use std::sync::Arc;

use quick_cache::sync::Cache;

use super::{Claims, ProviderKind};
use crate::base::Sha256;
use crate::jose::SignatureAlgorithm;

/// Number of cached tokens per provider. Only tokens with a valid signature are cached, so an attacker cannot fill it.
const CAPACITY: usize = 4_096;

/// A token with a verified signature: what follows from its bytes and one key alone.
#[derive(Debug)]
pub(crate) struct SignedToken {
    pub(crate) claims: Claims,
    pub(super) kid: String,
    pub(super) algorithm: SignatureAlgorithm,
    /// SHA-256 of header, dot and payload.
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
    /// Returns the token with this digest if it was verified under the key set of this generation.
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
