//! Tokens whose signature was found good, so that one that is used again costs a digest and not a signature. Holds
//! nothing that time or a database can change, and nothing of a key set that is no longer held.

use std::sync::Arc;

use quick_cache::sync::Cache;

use super::{Claims, ProviderKind};
use crate::base::Sha256;
use crate::jose::SignatureAlgorithm;

/// How many tokens of one provider are remembered. None of them was made by a stranger: each has a good signature.
const MOST: usize = 4_096;

/// What follows from a token's bytes and one key alone.
#[derive(Debug)]
pub(crate) struct SignedToken {
    pub(crate) claims: Claims,
    pub(super) kid: String,
    pub(super) algorithm: SignatureAlgorithm,
    /// Of header, dot and payload.
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
        Self(Cache::new(MOST))
    }
}

impl TokenCache {
    /// The token of this digest, if it was found good under this key set.
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
