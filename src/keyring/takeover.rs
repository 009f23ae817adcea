//! Taking a URL over from another issuer: its public keys stay in our key set until their end, and our own keys are
//! announced before they sign. A key of theirs signs nothing of ours, and none is published that does not open as what
//! we sealed.

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

/// What is known of the issuer that stood at our URL before us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Takeover {
    /// How long caches of its documents may last.
    pub cached_for: Seconds,
    /// How long its keys stay in our key set, at the least.
    pub adopt_for: Seconds,
    /// Where its key set is read again until our first signature; `None` where it came from a file.
    pub source: Option<String>,
    /// Until when its keys stay; `None` before our first start.
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

/// A key of a former issuer, and its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AdoptedKey {
    pub(super) jwk: Jwk,
    /// `None` before our first start.
    pub(super) until: Option<Moment>,
}

#[derive(Serialize, Deserialize)]
struct AdoptedText {
    jwk: Value,
    until: Option<i64>,
}

impl AdoptedKey {
    pub(super) fn open(issuer: &IssuerId, keks: &KeyEncryptionKeys, row: &AdoptedRow) -> Option<Self> {
        let owner = Owner { issuer, what: Sealed::Adopted { kid: &row.kid } };
        let text: AdoptedText = serde_json::from_slice(&keks.open(&owner, &row.sealed)?).ok()?;
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
        let text = AdoptedText {
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

/// Reads a former issuer's key set: its public members alone, for checking signatures.
///
/// # Errors
/// [`AdoptionError`].
pub fn read_former_keys(document: &[u8]) -> Result<JwkSet, AdoptionError> {
    let (set, unusable) = JwkSet::read(document).map_err(|error| AdoptionError::KeySet(error.to_string()))?;
    for key in unusable {
        tracing::warn!(place = key.index + 1, reason = %key.reason, "a key of the former issuer is not adopted");
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

/// The first keys of an installation whose URL another issuer still serves: made, and without times.
///
/// # Errors
/// [`KeyRefusal::Begun`].
pub fn init(keys: &KeyRows, settings: &KeyringSettings, now: Moment) -> Result<PlanStep, KeyRefusal> {
    if !keys.rows.is_empty() {
        return Err(KeyRefusal::Begun);
    }
    let mut draft = PlanDraft::new(keys, settings, now);
    if draft.algorithms.is_empty() {
        draft.algorithms.clone_from(&settings.algorithms);
    }
    for alg in draft.algorithms.clone() {
        draft.make(alg, None);
        draft.make(alg, None);
    }
    Ok(draft.step())
}

/// The first start of such an installation: its keys get their times. They sign when no cache of the former documents
/// can be left.
#[must_use]
pub fn schedule_takeover(keys: &KeyRows, settings: &KeyringSettings, now: Moment, cached_for: Seconds) -> PlanStep {
    let mut draft = PlanDraft::new(keys, settings, now);
    let schedule = draft.schedule;
    let ripe = now + schedule.announce_for();
    let first = now + schedule.announce_for().max(cached_for + schedule.clock_skew);
    for alg in draft.algorithms.clone() {
        let mut signs_from = first;
        for row in draft.rows.iter_mut().filter(|row| row.alg == alg && row.times.is_none()) {
            row.times = Some(KeyTimes { announced_at: now, signs_from });
            signs_from = ripe.max(signs_from + schedule.rotation_period);
        }
    }
    draft.step()
}

/// Until when a former issuer's keys stay: as long as was asked, and at least as long as its tokens may live after our
/// first signature.
pub(super) fn adopted_until(keys: &KeyRows, settings: &KeyringSettings, now: Moment, adopt_for: Seconds) -> Moment {
    let first = keys.rows.iter().filter_map(|row| row.times).map(|times| times.signs_from).min();
    (now + adopt_for).max(first.unwrap_or(now) + settings.schedule.retire_for())
}
