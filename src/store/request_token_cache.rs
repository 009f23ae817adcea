//! Cache of request tokens with their builds and clients, so that fetching another ID token needs no query before its
//! transaction. Never trusted for state or uses: the transaction that records a token decides, and a stale entry costs no
//! more than one refused record. Bounded in size.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::{BuildId, ClientId, IssuerId, RequestTokenId, Sha256};
use crate::store::TokenBearer;

/// Entries of one generation.
const GENERATION: usize = 2_048;

type Entry = (IssuerId, Arc<TokenBearer>);

/// Bearers by the digest of their token.
#[derive(Debug, Default)]
pub(super) struct RequestTokenCache(Mutex<Generations<Entry>>);

impl RequestTokenCache {
    /// Returns the bearer of this token as it was last read.
    pub(super) fn get(&self, issuer: &IssuerId, digest: Sha256) -> Option<Arc<TokenBearer>> {
        let (of, bearer) = self.lock().get(digest)?;
        (of == *issuer).then_some(bearer)
    }

    /// Caches a bearer, unless its token, build or client is no longer active.
    pub(super) fn insert(&self, issuer: &IssuerId, digest: Sha256, bearer: &TokenBearer) {
        if bearer.token.ended_at.is_some() || bearer.build.finished.is_some() || bearer.client.disabled_at.is_some() {
            return;
        }
        self.lock().insert(digest, (issuer.clone(), Arc::new(bearer.clone())));
    }

    /// Forgets all tokens of a build.
    pub(super) fn remove_build(&self, build: BuildId) {
        self.lock().remove(|(_, bearer)| bearer.build.id == build);
    }

    /// Forgets one token.
    pub(super) fn remove_token(&self, token: RequestTokenId) {
        self.lock().remove(|(_, bearer)| bearer.token.id == token);
    }

    /// Forgets all tokens of a client's builds.
    pub(super) fn remove_client(&self, client: &ClientId) {
        self.lock().remove(|(_, bearer)| bearer.client.id == *client);
    }

    /// Ignores poisoning: no change under the lock can stop half-way.
    fn lock(&self) -> MutexGuard<'_, Generations<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Two generations: a full young one replaces the old one, which drops every entry that was not read since.
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
    /// Returns an entry, and moves it to the young generation.
    fn get(&mut self, digest: Sha256) -> Option<V> {
        if let Some(value) = self.young.get(&digest) {
            return Some(value.clone());
        }
        let value = self.old.remove(&digest)?;
        self.insert(digest, value.clone());
        Some(value)
    }

    fn insert(&mut self, digest: Sha256, value: V) {
        // An entry is in one generation only, so that removing it removes it for good.
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
