//! The signing keys as read at one time: opened, with schedules, ready to sign. A view never changes; a new view
//! replaces the old one.

use std::sync::Arc;

use serde::Serialize;

use super::schedule::{KeyState, Schedule, schedules};
use super::seal::{KeyEncryptionKeys, Owner, Sealed};
use super::settings::KeyringParts;
use super::takeover::{AdoptedKey, Takeover};
use crate::base::{Moment, Seconds};
use crate::jose::{Algorithm, Jwk, PrivateKey, SigningKey};
use crate::store::{AdoptedRow, KeyRow, KeyRows, ServerSettings};

/// One of our signing keys, with the private key if it could be opened.
struct Key {
    kid: String,
    alg: Algorithm,
    schedule: Schedule,
    opened: Option<Arc<SigningKey>>,
}

/// A key adopted from a former issuer: its stored row, and its public key if the row could be decrypted.
struct Adopted {
    row: AdoptedRow,
    opened: Option<AdoptedKey>,
}

/// All keys of an issuer, as read from the store at one time.
pub struct KeyView {
    pub(super) version: u64,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) server_settings: Vec<ServerSettings>,
    pub(super) takeover: Option<Takeover>,
    /// Our keys, sorted by algorithm, time of announcement and `kid`.
    keys: Vec<Key>,
    adopted: Vec<Adopted>,
    /// Time for which a key is announced before it signs. The rotation of an algorithm that has had no announced key for
    /// longer is overdue.
    announce_for: Seconds,
    rotation_period: Seconds,
}

/// Description of one key, as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyListing {
    /// `kid` of the key: an RFC 7638 thumbprint, or for an adopted key the name that the former issuer gave the key.
    pub kid: String,
    /// Signature algorithm of the key; `None` if the key is an adopted key that cannot be opened.
    pub alg: Option<Algorithm>,
    /// State of the key at the time of the listing.
    pub state: KeyState,
    /// Time from which the key is published; `None` while the key waits for the first start.
    pub announced_at: Option<Moment>,
    /// Time from which the key signs, if known.
    pub signs_from: Option<Moment>,
    /// Time until which the key signs, if known.
    pub signs_until: Option<Moment>,
    /// Time at which the key leaves the key set, if known.
    pub forget_at: Option<Moment>,
    /// Time at which the key was revoked; `None` if the key is not revoked.
    pub revoked_at: Option<Moment>,
}

impl KeyView {
    /// Decrypts the stored keys. Signing keys that the earlier view `former` has decrypted already are copied from that
    /// view.
    pub(super) fn open(parts: &KeyringParts, keks: &KeyEncryptionKeys, rows: &KeyRows, former: Option<&Self>) -> Self {
        let schedule = &parts.settings.schedule;
        let mut keys: Vec<Key> = rows
            .rows
            .iter()
            .zip(schedules(&rows.rows, schedule))
            .map(|(row, schedule)| Key {
                kid: row.kid.clone(),
                alg: row.alg,
                schedule,
                opened: open_row(parts, keks, row, former),
            })
            .collect();
        keys.sort_by(|a, b| {
            let rank = |key: &Key| (key.alg == Algorithm::Es256, key.schedule.announced_at, key.schedule.signs_from);
            rank(a).cmp(&rank(b)).then_with(|| a.kid.cmp(&b.kid))
        });
        let adopt = |row: &AdoptedRow| {
            // An adopted key must never replace one of our keys with an equal `kid`.
            let opened = AdoptedKey::open(&parts.issuer, keks, row);
            let opened = opened.filter(|_| rows.rows.iter().all(|ours| ours.kid != row.kid));
            if opened.is_none() {
                tracing::error!(kid = row.kid, "an adopted key cannot be opened, so it is not published");
            }
            Adopted { row: row.clone(), opened }
        };
        Self {
            version: rows.version,
            algorithms: rows.algorithms.clone(),
            server_settings: rows.server_settings.clone(),
            takeover: rows.takeover.as_ref().and_then(|text| Takeover::open(&parts.issuer, keks, text)),
            keys,
            adopted: rows.adopted.iter().map(adopt).collect(),
            announce_for: schedule.announce_for(),
            rotation_period: schedule.rotation_period,
        }
    }

    /// Returns the version of the keys, a number that changes with every change of a key or setting.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Returns the current list of signature algorithms. The first algorithm with a key that can sign is the default.
    #[must_use]
    pub fn algorithms(&self) -> &[Algorithm] {
        &self.algorithms
    }

    /// Returns the key of this algorithm that signs at `now`.
    #[must_use]
    pub fn signer(&self, alg: Algorithm, now: Moment) -> Option<Arc<SigningKey>> {
        let signing = self.keys.iter().find(|key| key.alg == alg && key.schedule.state(now) == KeyState::Signing)?;
        signing.opened.clone()
    }

    /// Returns the key that signs at `now` if a request names no algorithm.
    #[must_use]
    pub fn default_signer(&self, now: Moment) -> Option<Arc<SigningKey>> {
        self.algorithms.iter().find_map(|alg| self.signer(*alg, now))
    }

    /// Returns the time from which the next announced key signs: of the algorithm `alg`, or with `None` of any listed
    /// algorithm.
    #[must_use]
    pub fn signs_from(&self, alg: Option<Algorithm>, now: Moment) -> Option<Moment> {
        let asked =
            self.keys.iter().filter(|key| alg.map_or_else(|| self.algorithms.contains(&key.alg), |alg| key.alg == alg));
        let waiting = asked.filter(|key| key.schedule.state(now) == KeyState::Announced);
        waiting.filter_map(|key| key.schedule.signs_from).min()
    }

    /// Returns the public keys in the key set at `now`, those of announced, signing, retiring and adopted keys. A key
    /// that cannot be opened is not published.
    #[must_use]
    pub fn published(&self, now: Moment) -> Vec<&Jwk> {
        let live = self.keys.iter().filter(|key| key.schedule.state(now).is_published());
        let ours = live.filter_map(|key| key.opened.as_deref().map(SigningKey::jwk));
        let adopted = self.adopted.iter().filter(|key| key.state(now).is_published());
        ours.chain(adopted.filter_map(|key| key.opened.as_ref().map(|key| &key.jwk))).collect()
    }

    /// Returns whether every key that must be published at `now` could be opened.
    #[must_use]
    pub fn is_sound(&self, now: Moment) -> bool {
        let ours = self.keys.iter().all(|key| key.opened.is_some() || !key.schedule.state(now).is_published());
        ours && self.adopted.iter().all(|key| key.opened.is_some() || key.row.revoked_at.is_some())
    }

    /// Returns whether keys exist, all of them are announced, and no key has signed yet.
    #[must_use]
    pub fn is_announced(&self, now: Moment) -> bool {
        let mut live = self.keys.iter().filter(|key| key.schedule.revoked_at.is_none()).peekable();
        live.peek().is_some() && live.all(|key| key.schedule.state(now) == KeyState::Announced)
    }

    /// Returns whether a key has signed for too long, or an algorithm has lacked an announced key for too long.
    #[must_use]
    pub fn is_overdue(&self, now: Moment) -> bool {
        let overdue = |alg: Algorithm| {
            let of_alg = |state| self.keys.iter().find(|key| key.alg == alg && key.schedule.state(now) == state);
            let Some(from) = of_alg(KeyState::Signing).and_then(|key| key.schedule.signs_from) else { return false };
            let since = if of_alg(KeyState::Announced).is_some() { from + self.rotation_period } else { from };
            now > since + self.announce_for
        };
        self.algorithms.iter().any(|alg| overdue(*alg))
    }

    /// Returns whether an announced key begins to sign within `announce_for`, so that its successor must be announced
    /// soon.
    pub(super) fn switch_is_near(&self, now: Moment) -> bool {
        let waiting = self.algorithms.iter().filter_map(|alg| self.signs_from(Some(*alg), now));
        waiting.min().is_some_and(|from| from <= now + self.announce_for)
    }

    /// Returns the time until which a copy of the key set that is taken at `now` stays complete. After that time a key
    /// that the copy lacks may sign.
    #[must_use]
    pub fn complete_until(&self, now: Moment) -> Moment {
        let last = |alg: &Algorithm| {
            let keys = self.keys.iter().filter(|key| key.alg == *alg && key.schedule.state(now).is_published());
            keys.filter_map(|key| key.schedule.signs_from).max()
        };
        // A further key is announced only when the announced key begins to sign, and signs `announce_for` later at the
        // earliest.
        let next = self.algorithms.iter().filter_map(last).min();
        next.map_or(now, |from| from.max(now) + self.announce_for)
    }

    /// Returns a description of every key, with the key's state at `now`.
    #[must_use]
    pub fn list(&self, now: Moment) -> Vec<KeyListing> {
        let ours = self.keys.iter().map(|key| KeyListing {
            kid: key.kid.clone(),
            alg: Some(key.alg),
            state: key.schedule.state(now),
            announced_at: key.schedule.announced_at,
            signs_from: key.schedule.signs_from,
            signs_until: key.schedule.signs_until,
            forget_at: key.schedule.forget_at,
            revoked_at: key.schedule.revoked_at,
        });
        let adopted = self.adopted.iter().map(|key| KeyListing {
            kid: key.row.kid.clone(),
            alg: key.opened.as_ref().map(|key| key.jwk.algorithm()),
            state: key.state(now),
            announced_at: None,
            signs_from: None,
            signs_until: None,
            forget_at: key.opened.as_ref().and_then(|key| key.until),
            revoked_at: key.row.revoked_at,
        });
        ours.chain(adopted).collect()
    }

    /// Returns whether at least one key could be opened.
    pub(super) fn opens_any(&self) -> bool {
        self.keys.iter().any(|key| key.opened.is_some()) || self.adopted.iter().any(|key| key.opened.is_some())
    }

    /// Returns whether some key still waits for the first start to set its times.
    pub(super) fn waits_for_first_start(&self) -> bool {
        self.keys.iter().any(|key| key.schedule.revoked_at.is_none() && key.schedule.signs_from.is_none())
    }

    /// Returns the time from which our first key signs, past or future.
    pub(super) fn first_signature(&self) -> Option<Moment> {
        self.keys.iter().filter_map(|key| key.schedule.signs_from).min()
    }
}

impl Adopted {
    fn state(&self, now: Moment) -> KeyState {
        if self.row.revoked_at.is_some() {
            return KeyState::Revoked;
        }
        let expired = self.opened.as_ref().and_then(|key| key.until).is_some_and(|until| until <= now);
        if expired { KeyState::Forgotten } else { KeyState::Adopted }
    }
}

/// Decrypts the private key of a row. The published public key is derived from this private key, so that a row edited
/// by hand publishes nothing.
fn open_row(
    parts: &KeyringParts,
    keks: &KeyEncryptionKeys,
    row: &KeyRow,
    former: Option<&KeyView>,
) -> Option<Arc<SigningKey>> {
    let sealed = row.sealed.as_deref()?;
    let known = former.and_then(|view| view.keys.iter().find(|key| key.kid == row.kid && key.alg == row.alg));
    if let Some(opened) = known.and_then(|key| key.opened.clone()) {
        return Some(opened);
    }
    let owner = Owner { issuer: &parts.issuer, what: Sealed::Private { kid: &row.kid, alg: row.alg } };
    let opened = keks
        .open(&owner, sealed)
        .and_then(|pkcs8| PrivateKey::from_pkcs8(row.alg, pkcs8).ok())
        .and_then(|private| SigningKey::from_private(&private).ok())
        .filter(|key| key.kid() == row.kid);
    if opened.is_none() {
        tracing::error!(kid = row.kid, alg = %row.alg, "a signing key cannot be opened, so it is not published");
    }
    opened.map(Arc::new)
}
