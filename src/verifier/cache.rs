//! Caches tokens with a verified signature, so that a token that is presented again costs a digest instead of a
//! signature check. Never caches a result that time or a database can change, and never returns a token of a former key
//! set.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::{Claims, ProviderKind};
use crate::base::Sha256;
use crate::jose::SignatureAlgorithm;

/// Expected number of cached tokens of one provider. Only tokens with a valid signature are cached, so that nobody but
/// the provider can fill the cache.
const EXPECTED: usize = 4_096;

/// Maximum memory of the cached tokens of one provider, in bytes.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// A token whose signature was verified. All fields depend only on the token's bytes and the key, so that the token may
/// be cached.
#[derive(Debug)]
pub(crate) struct SignedToken {
    pub(crate) claims: Claims,
    pub(super) kid: String,
    pub(super) algorithm: SignatureAlgorithm,
    /// SHA-256 of the token's header, dot and payload, without the signature.
    pub(crate) digest: Sha256,
    /// Size of the token's text, in bytes.
    pub(super) length: usize,
}

impl SignedToken {
    pub(crate) fn id(&self) -> Option<&str> {
        ProviderKind::token_ids().find_map(|claim| self.claims.filled(claim))
    }
}

type Entry = (u64, Arc<SignedToken>);

/// Estimates the memory that a cached token takes, rather too much than too little: parsed claims take about four times
/// the memory of their text.
#[derive(Clone)]
struct Memory;

impl Weighter<Sha256, Entry> for Memory {
    fn weight(&self, _: &Sha256, (_, signed): &Entry) -> u64 {
        512 + 4 * signed.length as u64
    }
}

pub(super) struct TokenCache(Cache<Sha256, Entry, Memory>);

impl Default for TokenCache {
    fn default() -> Self {
        Self(Cache::with_weighter(EXPECTED, MAX_BYTES, Memory))
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
