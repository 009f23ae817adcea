//! Holders of request tokens as they were read lately, so that a token fetched again needs no query before its
//! transaction. Never believed for life or uses: the transaction that records a token decides, and a stale entry costs
//! no more than one refused record. Bounded, whatever is asked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::{BuildId, ClientId, IssuerId, RequestTokenId, Sha256};
use crate::store::TokenBearer;

/// Entries of one generation.
const GENERATION: usize = 2_048;

type Entries = HashMap<Sha256, (IssuerId, Arc<TokenBearer>)>;

/// Two generations: where the younger is full it becomes the older, and what was not asked for since is forgotten.
#[derive(Debug, Default)]
struct Generations {
    young: Entries,
    old: Entries,
}

/// The holders, by the digest of their token.
#[derive(Debug, Default)]
pub(super) struct Bearers(Mutex<Generations>);

impl Bearers {
    /// The holder of this token as it was read last.
    pub(super) fn recall(&self, issuer: &IssuerId, digest: Sha256) -> Option<Arc<TokenBearer>> {
        let mut generations = self.lock();
        let found = match generations.young.get(&digest) {
            Some(entry) => entry.clone(),
            None => {
                let entry = generations.old.remove(&digest)?;
                generations.keep(digest, entry.clone());
                entry
            }
        };
        (found.0 == *issuer).then_some(found.1)
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
        self.forget(|bearer| bearer.build.id == build);
    }

    /// Forgets one token.
    pub(super) fn forget_token(&self, token: RequestTokenId) {
        self.forget(|bearer| bearer.token.id == token);
    }

    /// Forgets all tokens of a client's builds.
    pub(super) fn forget_client(&self, client: &ClientId) {
        self.forget(|bearer| bearer.client.id == *client);
    }

    fn forget(&self, of: impl Fn(&TokenBearer) -> bool) {
        let mut generations = self.lock();
        generations.young.retain(|_, (_, bearer)| !of(bearer));
        generations.old.retain(|_, (_, bearer)| !of(bearer));
    }

    /// Nothing is done under the lock that could leave it half done, so a poisoned one is as good.
    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn keep(&mut self, digest: Sha256, entry: (IssuerId, Arc<TokenBearer>)) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(digest, entry);
    }
}
