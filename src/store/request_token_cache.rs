//! Cache of request tokens with their builds and clients, so that fetching another ID token needs no query before the
//! transaction that records the ID token. No cached state is trusted: that transaction decides, and a stale cached
//! state costs no more than one refused record. The size of the cache is limited.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::{BuildId, ClientId, IssuerId, RequestTokenId, Sha256};
use crate::store::TokenBearer;

/// Maximum number of cached request tokens in one generation.
const GENERATION: usize = 2_048;

type Entry = (IssuerId, Arc<TokenBearer>);

/// Cached request tokens with their builds and clients, by the digest of the request token.
#[derive(Debug, Default)]
pub(super) struct RequestTokenCache(Mutex<Generations<Entry>>);

impl RequestTokenCache {
    /// Returns the request token with this digest as last read from the database, with build and client.
    pub(super) fn get(&self, issuer: &IssuerId, digest: Sha256) -> Option<Arc<TokenBearer>> {
        let (of, bearer) = self.lock().get(digest)?;
        (of == *issuer).then_some(bearer)
    }

    /// Caches a request token with build and client, unless one of the three is no longer active.
    pub(super) fn insert(&self, issuer: &IssuerId, digest: Sha256, bearer: &TokenBearer) {
        if bearer.token.ended_at.is_some() || bearer.build.finished.is_some() || bearer.client.disabled_at.is_some() {
            return;
        }
        self.lock().insert(digest, (issuer.clone(), Arc::new(bearer.clone())));
    }

    /// Removes all tokens of a build from the cache.
    pub(super) fn remove_build(&self, build: BuildId) {
        self.lock().remove(|(_, bearer)| bearer.build.id == build);
    }

    /// Removes one token from the cache.
    pub(super) fn remove_token(&self, token: RequestTokenId) {
        self.lock().remove(|(_, bearer)| bearer.token.id == token);
    }

    /// Removes all tokens of a client's builds from the cache.
    pub(super) fn remove_client(&self, client: &ClientId) {
        self.lock().remove(|(_, bearer)| bearer.client.id == *client);
    }

    /// Locks the generations. Ignores poisoning, since no change under the lock can stop half-way.
    fn lock(&self) -> MutexGuard<'_, Generations<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Cached values in two generations: a full young generation replaces the old one, which drops every value that was not
/// read since.
#[derive(Debug)]
struct Generations<V> {
    young: HashMap<Sha256, V>,
    old: HashMap<Sha256, V>,
}

impl<V> Default for Generations<V> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new() }
    }
}

impl<V: Clone> Generations<V> {
    /// Returns a cached value, and moves the value to the young generation.
    fn get(&mut self, digest: Sha256) -> Option<V> {
        if let Some(value) = self.young.get(&digest) {
            return Some(value.clone());
        }
        let value = self.old.remove(&digest)?;
        self.insert(digest, value.clone());
        Some(value)
    }

    fn insert(&mut self, digest: Sha256, value: V) {
        // A value is in one generation only, so that a removed value does not reappear.
        self.old.remove(&digest);
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(digest, value);
    }

    fn remove(&mut self, which: impl Fn(&V) -> bool) {
        self.young.retain(|_, value| !which(value));
        self.old.retain(|_, value| !which(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(n: usize) -> Sha256 {
        Sha256::of(&n.to_be_bytes())
    }

    #[test]
    fn the_cache_stays_small_and_keeps_what_is_read() {
        let mut generations = Generations::default();
        for n in 0..10 * GENERATION {
            generations.insert(digest(n), n);
            assert_eq!(generations.get(digest(0)), Some(0), "after {n}");
            assert!(generations.young.len() + generations.old.len() <= 2 * GENERATION);
        }
        assert_eq!(generations.get(digest(1)), None);
    }

    #[test]
    fn a_removed_entry_is_in_neither_generation() {
        let mut generations = Generations::default();
        for n in 0..GENERATION + 5 {
            generations.insert(digest(n), n);
        }
        generations.insert(digest(0), 0);
        generations.remove(|n| *n < 2 || *n > GENERATION);
        for removed in [0, 1, GENERATION + 1] {
            assert_eq!(generations.get(digest(removed)), None, "{removed}");
        }
        assert_eq!(generations.get(digest(2)), Some(2));
    }
}
