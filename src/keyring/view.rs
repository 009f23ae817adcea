//! The keys at one version: opened, scheduled, ready to sign. Never changes; a new one takes its place.

use std::sync::Arc;

use serde::Serialize;

use super::schedule::{KeyState, Schedule};
use crate::base::Moment;
use crate::jose::{Algorithm, Jwk, SigningKey};

/// One row, and its key where it opened.
pub(super) struct Key {
    pub(super) kid: String,
    pub(super) alg: Algorithm,
    pub(super) schedule: Schedule,
    pub(super) opened: Option<Arc<SigningKey>>,
}

/// All keys of an issuer, as they were read last.
pub struct KeyView {
    pub(super) version: u64,
    /// By algorithm, announcement and kid.
    pub(super) keys: Vec<Key>,
}

/// A key as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyListing {
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// What it signs with.
    pub alg: Algorithm,
    /// Where it is in its life.
    pub state: KeyState,
    /// From when it stands in the key set.
    pub announced_at: Moment,
    /// From when it signs.
    pub signs_from: Moment,
    /// Until when it signs, where that is known.
    pub signs_until: Option<Moment>,
    /// When it leaves the key set, where that is known.
    pub forget_at: Option<Moment>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Moment>,
}

impl KeyView {
    /// The key of this algorithm that signs now.
    #[must_use]
    pub fn signer(&self, alg: Algorithm, now: Moment) -> Option<Arc<SigningKey>> {
        let signing = self.keys.iter().find(|key| key.alg == alg && key.schedule.state(now) == KeyState::Signing)?;
        signing.opened.clone()
    }

    /// The public halves that stand in the key set now: announced, signing and retiring ones. What does not open is not
    /// published.
    #[must_use]
    pub fn published(&self, now: Moment) -> Vec<&Jwk> {
        let live = self.keys.iter().filter(|key| key.schedule.state(now).is_published());
        live.filter_map(|key| key.opened.as_deref().map(SigningKey::jwk)).collect()
    }

    /// Did every key that should be published open?
    #[must_use]
    pub fn is_sound(&self, now: Moment) -> bool {
        self.keys.iter().all(|key| key.opened.is_some() || !key.schedule.state(now).is_published())
    }

    /// Every key and where it is in its life.
    #[must_use]
    pub fn list(&self, now: Moment) -> Vec<KeyListing> {
        let listing = |key: &Key| KeyListing {
            kid: key.kid.clone(),
            alg: key.alg,
            state: key.schedule.state(now),
            announced_at: key.schedule.announced_at,
            signs_from: key.schedule.signs_from,
            signs_until: key.schedule.signs_until,
            forget_at: key.schedule.forget_at,
            revoked_at: key.schedule.revoked_at,
        };
        self.keys.iter().map(listing).collect()
    }
}
