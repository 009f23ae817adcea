//! Takes over a URL from another issuer: the other issuer's public keys stay in our key set until they expire, and our
//! own keys are announced before they sign. An adopted key never signs a token of ours, and is never published if its
//! sealed text cannot be opened.

use std::str;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::{AdoptionError, KeyRefusal, KeyringError, MOST_ADOPTED};
use super::plan::{PlanDraft, PlanStep};
use super::seal::{KeyEncryptionKeys, Owner, Sealed};
use super::settings::KeyringSettings;
use crate::base::{Entropy, IssuerId, Moment, Seconds};
use crate::jose::{Jwk, JwkSet};
use crate::store::{AdoptedRow, KeyRows, KeyTimes, SealedText};

/// Record of the issuer that served our URL before us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Takeover {
    /// Time for which caches may keep the former issuer's documents.
    pub cached_for: Seconds,
    /// Minimum time for which the former issuer's public keys stay in our key set.
    pub adopt_for: Seconds,
    /// URL of the former issuer's key set, which is fetched again until our first signature; `None` if the key set came
    /// from a file.
    pub source: Option<String>,
    /// Time until which the former issuer's public keys stay in our key set; `None` before our first start.
    pub until: Option<Moment>,
}

impl Takeover {
    pub(super) fn open(issuer: &IssuerId, keks: &KeyEncryptionKeys, text: &SealedText) -> Option<Self> {
        let plain = keks.open(&Owner { issuer, what: Sealed::Takeover }, &text.sealed)?;
        serde_json::from_slice(&plain).ok()
    }

    pub(super) fn seal(
        &self,
        issuer: &IssuerId,
        keks: &KeyEncryptionKeys,
        entropy: &dyn Entropy,
    ) -> Result<SealedText, KeyringError> {
        keks.seal(&Owner { issuer, what: Sealed::Takeover }, &json(self)?, entropy)
    }
}

/// Public key of a former issuer, with the time at which the key leaves our key set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AdoptedKey {
    pub(super) jwk: Jwk,
    /// Time at which the key leaves our key set; `None` before our first start.
    pub(super) until: Option<Moment>,
}

#[derive(Serialize, Deserialize)]
struct SealedAdoptedKey {
    jwk: Value,
    until: Option<i64>,
}

impl AdoptedKey {
    pub(super) fn open(issuer: &IssuerId, keks: &KeyEncryptionKeys, row: &AdoptedRow) -> Option<Self> {
        let owner = Owner { issuer, what: Sealed::Adopted { kid: &row.kid } };
        let text: SealedAdoptedKey = serde_json::from_slice(&keks.open(&owner, &row.sealed)?).ok()?;
        let jwk = Jwk::read(&text.jwk).ok().filter(|jwk| jwk.kid() == row.kid)?;
        Some(Self { jwk, until: text.until.map(Moment::from_unix) })
    }

    pub(super) fn seal(
        &self,
        issuer: &IssuerId,
        keks: &KeyEncryptionKeys,
        entropy: &dyn Entropy,
    ) -> Result<AdoptedRow, KeyringError> {
        let kid = self.jwk.kid().to_owned();
        let text = SealedAdoptedKey {
            jwk: serde_json::to_value(&self.jwk).map_err(|_| KeyringError::CutOff)?,
            until: self.until.map(Moment::unix),
        };
        let owner = Owner { issuer, what: Sealed::Adopted { kid: &kid } };
        let SealedText { sealed, kek } = keks.seal(&owner, &json(&text)?, entropy)?;
        Ok(AdoptedRow { kid, sealed, kek, revoked_at: None, revoked_reason: None })
    }
}

fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, KeyringError> {
    serde_json::to_vec(value).map_err(|_| KeyringError::CutOff)
}

/// Reads a former issuer's key set. Keeps only keys that verify RS256 or ES256 signatures, and only the public members
/// of each key.
///
/// # Errors
/// [`AdoptionError`] says why the key set cannot be adopted.
pub fn read_former_keys(document: &[u8]) -> Result<JwkSet, AdoptionError> {
    let (set, unusable) = JwkSet::read(document).map_err(|error| AdoptionError::KeySet(error.to_string()))?;
    for key in unusable {
        tracing::warn!(place = key.index + 1, reason = %key.reason, "a key of the former issuer cannot be adopted");
    }
    if set.keys.is_empty() {
        return Err(AdoptionError::None);
    }
    if set.keys.len() > MOST_ADOPTED {
        return Err(AdoptionError::TooMany);
    }
    for (index, key) in set.keys.iter().enumerate() {
        let kid = key.kid();
        if kid.is_empty() || kid.len() > 256 || !kid.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(AdoptionError::Kid { index: index + 1 });
        }
    }
    Ok(set)
}

/// Creates our first signing keys while another issuer still serves our URL. Our first start schedules these keys.
///
/// # Errors
/// [`KeyRefusal::Begun`].
pub(super) fn init(keys: &KeyRows, settings: &KeyringSettings, now: Moment) -> Result<PlanStep, KeyRefusal> {
    if !keys.rows.is_empty() {
        return Err(KeyRefusal::Begun);
    }
    let mut draft = PlanDraft::new(keys, settings, now);
    if draft.algorithms.is_empty() {
        draft.algorithms.clone_from(&settings.algorithms);
    }
    for alg in draft.algorithms.clone() {
        draft.add_key(alg, None);
        draft.add_key(alg, None);
    }
    Ok(draft.step())
}

/// Schedules the keys that [`init`] created, at our first start. The keys sign once every cache of the former issuer's
/// documents has expired.
pub(super) fn schedule_takeover(
    keys: &KeyRows,
    settings: &KeyringSettings,
    now: Moment,
    cached_for: Seconds,
) -> PlanStep {
    let mut draft = PlanDraft::new(keys, settings, now);
    let schedule = draft.schedule;
    let in_every_cache_from = now + schedule.announce_for();
    let first = now + schedule.announce_for().max(cached_for + schedule.clock_skew);
    for alg in draft.algorithms.clone() {
        let mut signs_from = first;
        for row in draft.rows.iter_mut().filter(|row| row.alg == alg && row.times.is_none()) {
            row.times = Some(KeyTimes { announced_at: now, signs_from });
            signs_from = in_every_cache_from.max(signs_from + schedule.rotation_period);
        }
    }
    draft.step()
}

/// Returns the time until which adopted keys stay in our key set: at least for `adopt_for`, and until every token that
/// was issued before our first signature has expired.
pub(super) fn adopted_until(keys: &KeyRows, settings: &KeyringSettings, now: Moment, adopt_for: Seconds) -> Moment {
    let first = keys.rows.iter().filter_map(|row| row.times).map(|times| times.signs_from).min();
    (now + adopt_for).max(first.unwrap_or(now) + settings.schedule.retire_for())
}
