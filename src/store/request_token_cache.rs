//! Holders of request tokens as they were read lately, so that a token fetched again needs no query before its
//! transaction. Never believed for life or uses: the transaction that records a token decides, and a stale entry costs
//! no more than one refused record. Bounded, whatever is asked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::{BuildId, ClientId, IssuerId, RequestTokenId, Sha256};
use crate::store::TokenBearer;

/// Entries of one generation.
const GENERATION: usize = 2_048;

type Entry = (IssuerId, Arc<TokenBearer>);

/// The holders, by the digest of their token.
#[derive(Debug, Default)]
pub(super) struct RequestTokenCache(Mutex<Generations<Entry>>);

impl RequestTokenCache {
    /// The holder of this token as it was read last.
    pub(super) fn recall(&self, issuer: &IssuerId, digest: Sha256) -> Option<Arc<TokenBearer>> {
        let (of, bearer) = self.lock().find(digest)?;
        (of == *issuer).then_some(bearer)
    }

    /// Keeps what was just read, unless it is of no use any more.
    pub(super) fn keep(&self, issuer: &IssuerId, digest: Sha256, bearer: &TokenBearer) {
        if bearer.token.ended_at.is_some() || bearer.build.finished.is_some() || bearer.client.disabled_at.is_some() {
            return;
        }
        self.lock().keep(digest, (issuer.clone(), Arc::new(bearer.clone())));
    }

    /// Forgets all tokens of a build.
    pub(super) fn forget_build(&self, build: BuildId) {
        self.lock().forget(|(_, bearer)| bearer.build.id == build);
    }

    /// Forgets one token.
    pub(super) fn forget_token(&self, token: RequestTokenId) {
        self.lock().forget(|(_, bearer)| bearer.token.id == token);
    }

    /// Forgets all tokens of a client's builds.
    pub(super) fn forget_client(&self, client: &ClientId) {
        self.lock().forget(|(_, bearer)| bearer.client.id == *client);
    }

    /// Nothing is done under the lock that could leave it half done, so a poisoned one is as good.
    fn lock(&self) -> MutexGuard<'_, Generations<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Two generations: where the younger is full it becomes the older, and what was not asked for since is forgotten.
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
    /// What was kept; from now on it is young again.
    fn find(&mut self, digest: Sha256) -> Option<V> {
        if let Some(value) = self.young.get(&digest) {
            return Some(value.clone());
        }
        let value = self.old.remove(&digest)?;
        self.keep(digest, value.clone());
        Some(value)
    }

    fn keep(&mut self, digest: Sha256, value: V) {
        // One key stands in one generation, so that what is forgotten can't come back from the other.
        self.old.remove(&digest);
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(digest, value);
    }

    fn forget(&mut self, which: impl Fn(&V) -> bool) {
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
    fn it_stays_small_and_keeps_what_is_asked_for() {
        let mut generations = Generations::default();
        for n in 0..10 * GENERATION {
            generations.keep(digest(n), n);
            assert_eq!(generations.find(digest(0)), Some(0), "after {n}");
            assert!(generations.young.len() + generations.old.len() <= 2 * GENERATION);
        }
        assert_eq!(generations.find(digest(1)), None);
    }

    #[test]
    fn what_is_forgotten_is_in_neither_generation() {
        let mut generations = Generations::default();
        for n in 0..GENERATION + 5 {
            generations.keep(digest(n), n);
        }
        generations.keep(digest(0), 0);
        generations.forget(|n| *n < 2 || *n > GENERATION);
        for gone in [0, 1, GENERATION + 1] {
            assert_eq!(generations.find(digest(gone)), None, "{gone}");
        }
        assert_eq!(generations.find(digest(2)), Some(2));
    }
}
