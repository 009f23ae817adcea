//! Acts of operators on signing keys, as pure functions like [`plan`](super::plan()): each returns the change to write,
//! or the reason why the act is refused. Nothing here reads the clock or writes to the store.

use serde::Serialize;

use super::error::KeyRefusal;
use super::plan::{PlanDraft, PlanStep, may_sign};
use super::schedule::{KeyState, ScheduleSettings};
use super::settings::KeyringSettings;
use crate::base::{Moment, Seconds};
use crate::jose::Algorithm;
use crate::store::{KeyRow, KeyRows, KeyTimes};

/// Scheduled switch of one algorithm to another signing key: the time from which the announced key (published, but not
/// signing yet) signs instead of the current key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Switch {
    /// Signature algorithm of the current key and of the announced key.
    pub alg: Algorithm,
    /// `kid` of the announced key that signs next.
    pub kid: String,
    /// Time from which the announced key signs.
    pub signs_from: Moment,
    /// Whether this call moved the switch to an earlier time. A repeated call leaves the time unchanged.
    pub moved: bool,
}

/// Result of revoking a signing key at once, with the times that matter to verifiers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Revocation {
    /// `kid` of the revoked key.
    pub kid: String,
    /// `kid` of the announced key that signs instead; `None` if the revoked key did not sign, or if a new key had to be
    /// generated.
    pub promoted: Option<String>,
    /// Whether the key that signs now was announced long enough ago that every cache holds the key.
    pub in_every_cache: bool,
    /// Time from which every verifier that respects our cache headers holds the key that signs now.
    pub safe_from: Moment,
    /// Time until which a verifier may accept the revoked key from its cache, if the cache respects our headers.
    pub caches_accept_until: Moment,
    /// Time until which a replica without a database connection may serve a key set that still holds the revoked key.
    #[serde(skip)]
    pub cut_off_until: Moment,
}

impl Revocation {
    /// Returns the result for a revocation after which the same key signs as before. `cached_for` is the largest age of
    /// a cached key set.
    fn of(kid: &str, schedule: &ScheduleSettings, cached_for: Seconds, now: Moment) -> Self {
        Self {
            kid: kid.to_owned(),
            promoted: None,
            in_every_cache: true,
            safe_from: now,
            caches_accept_until: now + schedule.refresh_interval + schedule.clock_skew + cached_for,
            cut_off_until: now + schedule.documents_safe_for(),
        }
    }

    /// Returns the result of revoking a former issuer's public key.
    pub(super) fn of_adopted(kid: &str, schedule: &ScheduleSettings, now: Moment) -> Self {
        Self::of(kid, schedule, schedule.jwks_max_age, now)
    }
}

/// Schedules, for every algorithm, the earliest safe switch from the current signing key to the announced key. With
/// `at_once`, refuses if some cache may still lack an announced key at the nearest possible switch.
///
/// # Errors
/// [`KeyRefusal::AnnouncedTooRecently`], [`KeyRefusal::NotBegun`], [`KeyRefusal::Waiting`].
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
        let Some((row, times)) = announced_key(&mut draft.rows, alg, now) else { continue };
        let in_every_cache_from = times.announced_at + announce_for;
        if at_once && in_every_cache_from > nearest {
            let (kid, announced_at) = (row.kid.clone(), times.announced_at);
            return Err(KeyRefusal::AnnouncedTooRecently { alg, kid, announced_at, announce_for, in_every_cache_from });
        }
        let earliest = in_every_cache_from.max(nearest);
        let moved = earliest < times.signs_from;
        let signs_from = times.signs_from.min(earliest);
        row.times = Some(KeyTimes { signs_from, ..times });
        switches.push(Switch { alg, kid: row.kid.clone(), signs_from, moved });
    }
    Ok((draft.step(), switches))
}

/// Revokes one of our signing keys at once. If the key signs now, the announced key of the algorithm signs from now on,
/// even if some caches lack it.
///
/// # Errors
/// [`KeyRefusal::Unknown`], [`KeyRefusal::Revoked`], [`KeyRefusal::Waiting`].
pub(super) fn revoke(
    keys: &KeyRows,
    settings: &KeyringSettings,
    now: Moment,
    kid: &str,
    reason: &str,
) -> Result<(PlanStep, Revocation), KeyRefusal> {
    let mut draft = begun(keys, settings, now)?;
    let announce_for = draft.announce_for();
    let cached_for = draft.largest_max_age();
    let states = draft.rows.iter().zip(draft.times());
    let state = states.filter(|(row, _)| row.kid == kid).map(|(_, times)| times.state(now)).next();
    let unknown = || KeyRefusal::Unknown { kid: kid.to_owned() };
    let row = draft.rows.iter_mut().find(|row| row.kid == kid).ok_or_else(unknown)?;
    if let Some(at) = row.revoked_at {
        return Err(KeyRefusal::Revoked { kid: kid.to_owned(), at });
    }
    let (alg, former) = (row.alg, row.times);
    mark_revoked(row, reason, now);
    let mut revocation = Revocation::of(kid, draft.schedule, cached_for, now);
    if let (Some(KeyState::Signing), Some(former)) = (state, former) {
        match announced_key(&mut draft.rows, alg, now) {
            Some((row, times)) => {
                row.times = Some(KeyTimes { signs_from: former.signs_from, ..times });
                revocation.safe_from = now.max(times.announced_at + announce_for);
                revocation.promoted = Some(row.kid.clone());
            }
            None if draft.algorithms.contains(&alg) => {
                draft.add_key(alg, Some(KeyTimes { announced_at: now, signs_from: former.signs_from }));
                revocation.safe_from = now + announce_for;
            }
            None => {}
        }
        revocation.in_every_cache = revocation.safe_from <= now;
    }
    draft.announce_next_keys();
    Ok((draft.step(), revocation))
}

/// Changes the list of signature algorithms. Keys of an added algorithm are announced before the keys sign. Keys of a
/// removed algorithm sign until the nearest switch and stay published until the tokens that they signed have expired.
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
    // A key of an algorithm that was removed and is added again may sign again only if every replica reads this change
    // before the key would have left the key set.
    let times = draft.times();
    for (row, times) in draft.rows.iter_mut().zip(times) {
        if wanted.contains(&row.alg) {
            let forgotten = times.forget_at.is_some_and(|forget| forget <= nearest);
            row.ends_at = row.ends_at.filter(|_| forgotten);
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
        draft.announce_next_keys();
    }
    Ok(draft.step())
}

/// Corrects the stored times after a server's clock ran ahead: stores `now` as the largest time that any server has
/// seen, and revokes the keys that were announced later than `now`. If an algorithm then has no signing key, its
/// announced key signs at once; if the algorithm has no key at all, a key that signs at once is created.
///
/// # Errors
/// [`KeyRefusal::NotBegun`].
pub(super) fn accept_clock(
    keys: &KeyRows,
    settings: &KeyringSettings,
    now: Moment,
) -> Result<(PlanStep, Vec<String>), KeyRefusal> {
    let mut draft = begun(keys, settings, now)?;
    draft.latest_seen = Some(now);
    let mut revoked = Vec::new();
    for row in &mut draft.rows {
        if row.revoked_at.is_none() && row.times.is_some_and(|times| times.announced_at > now) {
            mark_revoked(row, "announced by a clock that ran ahead", now);
            revoked.push(row.kid.clone());
        }
    }
    for alg in draft.algorithms.clone() {
        let signs = |row: &KeyRow| row.alg == alg && may_sign(row) && row.times.is_some_and(|t| t.signs_from <= now);
        if draft.rows.iter().any(signs) {
            continue;
        }
        if let Some((row, times)) = announced_key(&mut draft.rows, alg, now) {
            row.times = Some(KeyTimes { signs_from: now, ..times });
        }
    }
    draft.add_first_keys();
    draft.announce_next_keys();
    Ok((draft.step(), revoked))
}

/// Returns an empty plan, to which an operator's act adds its changes. Refuses the act if no keys exist, or if a key
/// has not been scheduled yet.
fn begun<'a>(keys: &'a KeyRows, settings: &'a KeyringSettings, now: Moment) -> Result<PlanDraft<'a>, KeyRefusal> {
    if keys.rows.is_empty() {
        return Err(KeyRefusal::NotBegun);
    }
    if keys.rows.iter().any(|row| row.revoked_at.is_none() && row.times.is_none()) {
        return Err(KeyRefusal::Waiting);
    }
    Ok(PlanDraft::new(keys, settings, now))
}

/// Returns the announced key of this algorithm that signs next.
fn announced_key(rows: &mut [KeyRow], alg: Algorithm, now: Moment) -> Option<(&mut KeyRow, KeyTimes)> {
    let waiting = rows.iter_mut().filter(|row| row.alg == alg && may_sign(row));
    let waiting = waiting.filter_map(|row| row.times.map(|times| (row, times)));
    let waiting = waiting.filter(|(_, times)| times.signs_from > now);
    waiting.min_by(|(one, a), (other, b)| (a.signs_from, &one.kid).cmp(&(b.signs_from, &other.kid)))
}

/// Marks a key as revoked and erases its private half, so that the key never signs again.
fn mark_revoked(row: &mut KeyRow, reason: &str, now: Moment) {
    row.revoked_at = Some(now);
    row.revoked_reason = Some(reason.to_owned());
    (row.sealed, row.kek) = (None, None);
}
