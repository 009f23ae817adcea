//! What operators do to keys, as pure as [`plan`](super::plan): each act says what changes, or why it may not.

use serde::Serialize;

use super::error::KeyRefusal;
use super::plan::{PlanDraft, PlanStep, may_sign};
use super::schedule::{KeyState, ScheduleSettings};
use super::settings::KeyringSettings;
use crate::base::{Moment, Seconds};
use crate::jose::Algorithm;
use crate::store::{KeyRow, KeyRows, KeyTimes};

/// When the reserve of an algorithm takes over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Switch {
    /// Which algorithm.
    pub alg: Algorithm,
    /// The key that will sign.
    pub kid: String,
    /// From when.
    pub signs_from: Moment,
    /// Was that set by this call? Asked again, a switch stays as it was set.
    pub moved: bool,
}

/// What an emergency revocation did, and from when it is safe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Revocation {
    /// The key that is gone.
    pub kid: String,
    /// The key that signs in its place; `None` where it did not sign, or where one had to be made.
    pub promoted: Option<String>,
    /// Was the promoted key announced for as long as caches may lack it?
    pub ripe: bool,
    /// From when no verifier that heeds our headers can lack the promoted key.
    pub safe_from: Moment,
    /// Until when caches that heed our headers may go on accepting the revoked key.
    pub caches_accept_until: Moment,
    /// Until when a replica that is cut off from the database may go on serving the old key set.
    #[serde(skip)]
    pub cut_off_until: Moment,
}

impl Revocation {
    /// Of a key that promoted none.
    fn of(kid: &str, schedule: &ScheduleSettings, told: Seconds, now: Moment) -> Self {
        Self {
            kid: kid.to_owned(),
            promoted: None,
            ripe: true,
            safe_from: now,
            caches_accept_until: now + schedule.refresh_interval + schedule.clock_skew + told,
            cut_off_until: now + schedule.documents_safe_for(),
        }
    }

    /// Of a former issuer's key.
    pub(super) fn of_adopted(kid: &str, schedule: &ScheduleSettings, now: Moment) -> Self {
        Self::of(kid, schedule, schedule.jwks_max_age, now)
    }
}

/// Sets the earliest safe switch for every algorithm, or with `at_once` the nearest one, if the reserve is ripe by then.
///
/// # Errors
/// [`KeyRefusal::Unripe`], [`KeyRefusal::NotBegun`], [`KeyRefusal::Waiting`].
pub fn rotate(
    keys: &KeyRows,
    settings: &KeyringSettings,
    now: Moment,
    at_once: bool,
) -> Result<(PlanStep, Vec<Switch>), KeyRefusal> {
    let mut draft = begun(keys, settings, now)?;
    let (announce_for, nearest) = (draft.announce_for(), draft.nearest_switch());
    let mut switches = Vec::new();
    for alg in draft.algorithms.clone() {
        let Some((row, times)) = reserve(&mut draft.rows, alg, now) else { continue };
        let ripe_at = times.announced_at + announce_for;
        if at_once && ripe_at > nearest {
            let (kid, announced_at) = (row.kid.clone(), times.announced_at);
            return Err(KeyRefusal::Unripe { alg, kid, announced_at, announce_for, ripe_at });
        }
        let earliest = ripe_at.max(nearest);
        let moved = earliest < times.signs_from;
        let signs_from = times.signs_from.min(earliest);
        row.times = Some(KeyTimes { signs_from, ..times });
        switches.push(Switch { alg, kid: row.kid.clone(), signs_from, moved });
    }
    Ok((draft.step(), switches))
}

/// Takes a key of ours out at once; where it signed, its reserve takes its place, ripe or not.
///
/// # Errors
/// [`KeyRefusal::Unknown`], [`KeyRefusal::Revoked`], [`KeyRefusal::Waiting`].
pub fn revoke(
    keys: &KeyRows,
    settings: &KeyringSettings,
    now: Moment,
    kid: &str,
    reason: &str,
) -> Result<(PlanStep, Revocation), KeyRefusal> {
    let mut draft = begun(keys, settings, now)?;
    let announce_for = draft.announce_for();
    let told = draft.told();
    let states = draft.rows.iter().zip(draft.times());
    let state = states.filter(|(row, _)| row.kid == kid).map(|(_, times)| times.state(now)).next();
    let unknown = || KeyRefusal::Unknown { kid: kid.to_owned() };
    let row = draft.rows.iter_mut().find(|row| row.kid == kid).ok_or_else(unknown)?;
    if let Some(at) = row.revoked_at {
        return Err(KeyRefusal::Revoked { kid: kid.to_owned(), at });
    }
    let (alg, former) = (row.alg, row.times);
    take_out(row, reason, now);
    let mut revocation = Revocation::of(kid, draft.schedule, told, now);
    if let (Some(KeyState::Signing), Some(former)) = (state, former) {
        match reserve(&mut draft.rows, alg, now) {
            Some((row, times)) => {
                row.times = Some(KeyTimes { signs_from: former.signs_from, ..times });
                revocation.safe_from = now.max(times.announced_at + announce_for);
                revocation.promoted = Some(row.kid.clone());
            }
            None if draft.algorithms.contains(&alg) => {
                draft.make(alg, Some(KeyTimes { announced_at: now, signs_from: former.signs_from }));
                revocation.safe_from = now + announce_for;
            }
            None => {}
        }
        revocation.ripe = revocation.safe_from <= now;
    }
    draft.stock();
    Ok((draft.step(), revocation))
}

/// Puts a list of algorithms in force. One that is added is announced first; one that is taken out signs until the
/// nearest switch, and its keys stay published for as long as their tokens live.
///
/// # Errors
/// [`KeyRefusal::NoneSigns`].
pub fn change_algorithms(
    keys: &KeyRows,
    settings: &KeyringSettings,
    now: Moment,
    wanted: &[Algorithm],
) -> Result<PlanStep, KeyRefusal> {
    let mut draft = PlanDraft::new(keys, settings, now);
    draft.algorithms = wanted.to_vec();
    let nearest = draft.nearest_switch();
    // A key may come back as long as every replica will hear of it before it would have forgotten it.
    let times = draft.times();
    for (row, times) in draft.rows.iter_mut().zip(times) {
        if wanted.contains(&row.alg) {
            let gone = times.forget_at.is_some_and(|forget| forget <= nearest);
            row.ends_at = row.ends_at.filter(|_| gone);
        } else if may_sign(row) {
            row.ends_at = Some(nearest);
        }
    }
    let mut waiting: Vec<Moment> = Vec::new();
    for row in draft.rows.iter().filter(|row| wanted.contains(&row.alg) && may_sign(row)) {
        let Some(times) = row.times else { return Ok(draft.step()) };
        waiting.push(times.signs_from);
    }
    let from = waiting.into_iter().min();
    if !keys.rows.is_empty() && from.is_none_or(|from| from > now) {
        return Err(KeyRefusal::NoneSigns { asked: wanted.to_vec(), from });
    }
    if !keys.rows.is_empty() {
        draft.stock();
    }
    Ok(draft.step())
}

/// After a clock that ran ahead: makes `now` the largest time seen, and revokes what was announced in a time that never
/// was. Where nothing is left that signs, the reserve does, and where nothing is left at all the first keys are made
/// anew.
///
/// # Errors
/// [`KeyRefusal::NotBegun`].
pub fn accept_clock(
    keys: &KeyRows,
    settings: &KeyringSettings,
    now: Moment,
) -> Result<(PlanStep, Vec<String>), KeyRefusal> {
    let mut draft = begun(keys, settings, now)?;
    draft.latest_seen = Some(now);
    let mut revoked = Vec::new();
    for row in &mut draft.rows {
        if row.revoked_at.is_none() && row.times.is_some_and(|times| times.announced_at > now) {
            take_out(row, "announced by a clock that ran ahead", now);
            revoked.push(row.kid.clone());
        }
    }
    for alg in draft.algorithms.clone() {
        let signs = |row: &KeyRow| row.alg == alg && may_sign(row) && row.times.is_some_and(|t| t.signs_from <= now);
        if draft.rows.iter().any(signs) {
            continue;
        }
        if let Some((row, times)) = reserve(&mut draft.rows, alg, now) {
            row.times = Some(KeyTimes { signs_from: now, ..times });
        }
    }
    draft.begin();
    draft.stock();
    Ok((draft.step(), revoked))
}

/// The draft of an act that needs keys with times.
fn begun<'a>(keys: &'a KeyRows, settings: &'a KeyringSettings, now: Moment) -> Result<PlanDraft<'a>, KeyRefusal> {
    if keys.rows.is_empty() {
        return Err(KeyRefusal::NotBegun);
    }
    if keys.rows.iter().any(|row| row.revoked_at.is_none() && row.times.is_none()) {
        return Err(KeyRefusal::Waiting);
    }
    Ok(PlanDraft::new(keys, settings, now))
}

/// The next key of this algorithm that will sign.
fn reserve(rows: &mut [KeyRow], alg: Algorithm, now: Moment) -> Option<(&mut KeyRow, KeyTimes)> {
    let waiting = rows.iter_mut().filter(|row| row.alg == alg && may_sign(row));
    let waiting = waiting.filter_map(|row| row.times.map(|times| (row, times)));
    let waiting = waiting.filter(|(_, times)| times.signs_from > now);
    waiting.min_by(|(one, a), (other, b)| (a.signs_from, &one.kid).cmp(&(b.signs_from, &other.kid)))
}

/// A revoked key never signs again, so its private half goes with it.
fn take_out(row: &mut KeyRow, reason: &str, now: Moment) {
    row.revoked_at = Some(now);
    row.revoked_reason = Some(reason.to_owned());
    (row.sealed, row.kek) = (None, None);
}
