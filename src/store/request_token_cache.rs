//! Cache of request tokens with their builds and clients, so that fetching another ID token needs no query before the
//! transaction that records the ID token. That transaction decides, so that stale cached state costs no more than one
//! refused record. The memory of the cache, and the time for which an unread token stays, are limited.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::base::{BuildId, ClientId, IssuerId, RequestTokenId, Sha256};
use crate::claims::AudiencePattern;
use crate::policy::Client;
use crate::store::interned::Interned;
use crate::store::{StoredBuild, TokenBearer};

/// Maximum memory of the cache in bytes, unless [`RequestTokenCache::bound`] sets another maximum.
const DEFAULT_BYTES: usize = 16 * 1024 * 1024;

/// Memory of an entry besides its texts, in bytes: the structures, the digest and the places in the maps.
const ENTRY_BYTES: usize = 1_536;

/// Maximum age of the young generation of the cache. Then the old generation is dropped, and the young one becomes the
/// old one.
const GENERATION_AGE: Duration = Duration::from_secs(5 * 60);

type Entry = (IssuerId, Arc<TokenBearer>);

/// Cached request tokens with their builds and clients, by the digest of the request token.
#[derive(Debug, Default)]
pub(super) struct RequestTokenCache(Mutex<Cached>);

#[derive(Debug, Default)]
struct Cached {
    tokens: Generations<Entry>,
    builds: Interned<BuildId, StoredBuild>,
    clients: Interned<ClientId, Client>,
}

impl RequestTokenCache {
    /// Sets the memory that the cache may hold, in bytes.
    pub(super) fn bound(&self, bytes: usize) {
        self.lock().tokens.most = bytes;
    }

    /// Drops values that were not read for several minutes. `now` is a reading of the monotonic clock.
    pub(super) fn age(&self, now: Duration) {
        self.lock().tokens.age(now);
    }

    /// Returns the request token with this digest as last read from the database, with build and client.
    pub(super) fn get(&self, issuer: &IssuerId, digest: Sha256) -> Option<Arc<TokenBearer>> {
        let (of, bearer) = self.lock().tokens.get(digest)?;
        (of == *issuer).then_some(bearer)
    }

    /// Caches a request token with build and client, if the token is not revoked, the build not finished and the client
    /// enabled.
    pub(super) fn insert(&self, issuer: &IssuerId, digest: Sha256, bearer: &TokenBearer) {
        if bearer.token.ended_at.is_some() || bearer.build.finished.is_some() || bearer.client.disabled_at.is_some() {
            return;
        }
        let bytes = bytes(bearer);
        let mut cached = self.lock();
        let bearer = TokenBearer {
            token: bearer.token.clone(),
            build: cached.builds.share(&bearer.build.id, &bearer.build, is_same_build),
            client: cached.clients.share(&bearer.client.id, &bearer.client, PartialEq::eq),
        };
        cached.tokens.insert(digest, (issuer.clone(), Arc::new(bearer)), bytes);
    }

    /// Removes all tokens of a build from the cache.
    pub(super) fn remove_build(&self, build: BuildId) {
        self.lock().tokens.remove(|(_, bearer)| bearer.build.id == build);
    }

    /// Removes one token from the cache.
    pub(super) fn remove_token(&self, token: RequestTokenId) {
        self.lock().tokens.remove(|(_, bearer)| bearer.token.id == token);
    }

    /// Removes all tokens of a client's builds from the cache.
    pub(super) fn remove_client(&self, client: &ClientId) {
        self.lock().tokens.remove(|(_, bearer)| bearer.client.id == *client);
    }

    /// Locks the cache. Ignores poisoning, since no change under the lock can stop half-way.
    fn lock(&self) -> MutexGuard<'_, Cached> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether two copies of a build differ only in the number of issued tokens, which the cache does not keep up to date.
fn is_same_build(one: &StoredBuild, other: &StoredBuild) -> bool {
    one.build == other.build
        && (&one.id, &one.client, &one.audiences) == (&other.id, &other.client, &other.audiences)
        && (one.registered_at, one.deadline, one.finished) == (other.registered_at, other.deadline, other.finished)
}

/// Returns an upper estimate of the memory that a token with build and client holds, in bytes, as if no other token
/// shared its build or client.
fn bytes(bearer: &TokenBearer) -> usize {
    let lists = [bearer.token.audiences.as_deref(), bearer.build.audiences.as_deref(), Some(&*bearer.client.audiences)];
    let pattern = |pattern: &AudiencePattern| pattern.as_str().len() + size_of::<AudiencePattern>() + 16;
    let lists: usize = lists.into_iter().flatten().flatten().map(pattern).sum();
    let organizations = bearer.client.organizations.iter().map(|pattern| pattern.as_str().len() + 40).sum::<usize>();
    // In memory a value has its text and a few words; in JSON it has its text and the name of its field.
    let described = serde_json::to_string(&bearer.build.build).map_or(0, |text| 2 * text.len());
    let step = serde_json::to_string(&bearer.token.step).map_or(0, |text| 2 * text.len());
    ENTRY_BYTES + lists + organizations + described + step
}

/// Cached values in two generations. A value that is cached or read goes to the young generation. When the young
/// generation is full, it replaces the old one, whose values are dropped. A value is in one generation only, so that a
/// removed value does not reappear.
#[derive(Debug)]
struct Generations<V> {
    /// Maximum size of both generations together, in bytes.
    most: usize,
    young: Generation<V>,
    old: Generation<V>,
    began: Duration,
}

#[derive(Debug)]
struct Generation<V> {
    values: HashMap<Sha256, (V, usize)>,
    bytes: usize,
}

impl<V> Default for Generation<V> {
    fn default() -> Self {
        Self { values: HashMap::new(), bytes: 0 }
    }
}

impl<V> Default for Generations<V> {
    fn default() -> Self {
        let (young, old) = (Generation::default(), Generation::default());
        Self { most: DEFAULT_BYTES, young, old, began: Duration::ZERO }
    }
}

impl<V> Generation<V> {
    fn take(&mut self, digest: Sha256) -> Option<(V, usize)> {
        let taken = self.values.remove(&digest)?;
        self.bytes -= taken.1;
        Some(taken)
    }

    fn remove(&mut self, which: impl Fn(&V) -> bool) {
        self.values.retain(|_, (value, _)| !which(value));
        self.bytes = self.values.values().map(|(_, bytes)| bytes).sum();
    }
}

impl<V: Clone> Generations<V> {
    /// Returns a cached value, and moves the value to the young generation.
    fn get(&mut self, digest: Sha256) -> Option<V> {
        if let Some((value, _)) = self.young.values.get(&digest) {
            return Some(value.clone());
        }
        let (value, bytes) = self.old.take(digest)?;
        self.insert(digest, value.clone(), bytes);
        Some(value)
    }

    /// Caches a value of this size, unless the value alone is larger than half the cache.
    fn insert(&mut self, digest: Sha256, value: V, bytes: usize) {
        self.old.take(digest);
        self.young.take(digest);
        let most = self.most / 2;
        if bytes > most {
            return;
        }
        if self.young.bytes + bytes > most {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.bytes += bytes;
        self.young.values.insert(digest, (value, bytes));
    }

    fn age(&mut self, now: Duration) {
        if now.saturating_sub(self.began) >= GENERATION_AGE {
            self.began = now;
            self.old = std::mem::take(&mut self.young);
        }
    }

    fn remove(&mut self, which: impl Fn(&V) -> bool) {
        self.young.remove(&which);
        self.old.remove(&which);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Generations that hold 100 values of 10 bytes.
    fn small() -> Generations<usize> {
        Generations { most: 1_000, ..Generations::default() }
    }

    fn digest(n: usize) -> Sha256 {
        Sha256::of(&n.to_be_bytes())
    }

    #[test]
    fn the_cache_stays_small_and_keeps_what_is_read() {
        let mut generations = small();
        for n in 0..1_000 {
            generations.insert(digest(n), n, 10);
            assert_eq!(generations.get(digest(0)), Some(0), "after {n}");
            assert!(generations.young.values.len() + generations.old.values.len() <= 100);
            assert!(generations.young.bytes + generations.old.bytes <= 1_000);
        }
        assert_eq!(generations.get(digest(1)), None);
    }

    #[test]
    fn large_values_leave_room_for_fewer_and_too_large_ones_are_not_cached() {
        let mut generations = small();
        for n in 0..50 {
            generations.insert(digest(n), n, 300);
            assert!(generations.young.bytes + generations.old.bytes <= 1_000);
        }
        assert_eq!((generations.get(digest(49)), generations.get(digest(47))), (Some(49), None));
        generations.insert(digest(49), 49, 501);
        assert_eq!(generations.get(digest(49)), None, "neither the large one nor the one before it");
        assert_eq!(generations.get(digest(48)), Some(48), "it displaced nothing");
        generations.most = 0;
        generations.insert(digest(1), 1, 10);
        assert_eq!(generations.get(digest(1)), None);
    }

    #[test]
    fn a_value_that_nobody_reads_is_dropped_after_a_while() {
        let mut generations = small();
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        generations.age(minutes(100));
        generations.insert(digest(1), 1, 10);
        generations.insert(digest(2), 2, 10);
        for minute in 101..120 {
            generations.age(minutes(minute));
            assert_eq!(generations.get(digest(1)), Some(1));
        }
        assert_eq!(generations.get(digest(2)), None);
    }

    #[test]
    fn a_removed_entry_is_in_neither_generation() {
        let mut generations = small();
        for n in 0..55 {
            generations.insert(digest(n), n, 10);
        }
        generations.insert(digest(0), 0, 10);
        generations.remove(|n| *n < 2 || *n > 50);
        for removed in [0, 1, 51] {
            assert_eq!(generations.get(digest(removed)), None, "{removed}");
        }
        assert_eq!(generations.get(digest(2)), Some(2));
        assert_eq!((generations.young.bytes + generations.old.bytes), 49 * 10);
    }
}
