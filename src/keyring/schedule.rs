//! Computes the schedule and state of each signing key from the stored times and the current time. The functions are
//! pure, so that no replica computes another schedule than the others.

use serde::Serialize;

use crate::base::{Moment, Seconds};
use crate::store::KeyRow;

/// Settings from which the schedule of every signing key is computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleSettings {
    /// Time for which a key signs.
    pub rotation_period: Seconds,
    /// Time for which caches may keep the discovery document and the key set (`max-age`).
    pub jwks_max_age: Seconds,
    /// Minimum time for which a key is published before the key signs, for verifiers that ignore cache headers.
    pub announce_at_least: Seconds,
    /// Interval at which each replica reads the keys again.
    pub refresh_interval: Seconds,
    /// Largest allowed difference between the clocks of two servers.
    pub clock_skew: Seconds,
    /// Time after a token's `exp` for which verifiers may still accept the token.
    pub verifier_leeway: Seconds,
    /// Maximum lifetime of a token.
    pub max_lifetime: Seconds,
}

impl ScheduleSettings {
    /// Returns the time for which a key is published before it may sign.
    #[must_use]
    pub fn announce_for(&self) -> Seconds {
        (self.jwks_max_age * 2).max(self.announce_at_least) + self.refresh_interval + self.clock_skew
    }

    /// Returns the time for which a key stays published after the key has stopped signing.
    #[must_use]
    pub fn retire_for(&self) -> Seconds {
        retire_for(self, self.max_lifetime, self.jwks_max_age)
    }

    /// Returns the time for which a replica may serve its documents after it has read the keys. A document that is
    /// served later could still be in a cache when a key begins to sign that the document lacks. One `refresh_interval`
    /// is subtracted, because a change of keys may be written that much later than the times in its rows.
    #[must_use]
    pub fn documents_safe_for(&self) -> Seconds {
        let unseen = self.jwks_max_age + self.clock_skew + self.refresh_interval;
        self.announce_for().saturating_sub(unseen)
    }

    /// Returns why these settings contradict each other, with the arithmetic; `None` if there is no contradiction.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        let Self {
            rotation_period,
            jwks_max_age,
            announce_at_least,
            refresh_interval,
            clock_skew,
            verifier_leeway,
            max_lifetime,
        } = self;
        let (announce, retire) = (self.announce_for(), self.retire_for());
        let least = announce + retire;
        (*rotation_period < least).then(|| {
            format!(
                "{rotation_period} is too short, must be at least {least}: before a key signs, it is announced for \
                 {announce} = max(2 * jwks_max_age {jwks_max_age}, announce_at_least {announce_at_least}) + \
                 refresh_interval {refresh_interval} + clock_skew {clock_skew}; after it signed, it stays published for \
                 {retire} = tokens.max_lifetime {max_lifetime} + verifier_leeway {verifier_leeway} + jwks_max_age \
                 {jwks_max_age} + clock_skew {clock_skew}"
            )
        })
    }
}

fn retire_for(settings: &ScheduleSettings, max_lifetime: Seconds, jwks_max_age: Seconds) -> Seconds {
    max_lifetime + settings.verifier_leeway + jwks_max_age + settings.clock_skew
}

/// State of a signing key. The state is never stored, but computed from the key's schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, strum::Display)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum KeyState {
    /// The key is published, but does not sign yet.
    Announced,
    /// The key is published and signs.
    Signing,
    /// The key no longer signs, but stays published for the tokens that the key has signed.
    Retiring,
    /// The key is no longer published; the row of the key stays for the audit.
    Forgotten,
    /// The key was revoked, and neither signs nor is published.
    Revoked,
    /// The key is a former issuer's public key, which is published until the key expires and signs none of our tokens.
    Adopted,
}

impl KeyState {
    /// Returns whether a key in this state is part of the key set.
    #[must_use]
    pub const fn is_published(self) -> bool {
        matches!(self, Self::Announced | Self::Signing | Self::Retiring | Self::Adopted)
    }
}

/// Schedule of one signing key, computed from the key's row and from the rows of other keys of the algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// Time from which the key is published; `None` while the key waits for the first start.
    pub announced_at: Option<Moment>,
    /// Time from which the key signs; `None` while the key waits for the first start.
    pub signs_from: Option<Moment>,
    /// Time until which the key signs; `None` while no other key is scheduled to sign instead.
    pub signs_until: Option<Moment>,
    /// Time at which the key leaves the key set; `None` while no other key is scheduled to sign instead.
    pub forget_at: Option<Moment>,
    /// Time at which the key was revoked; `None` if the key is not revoked.
    pub revoked_at: Option<Moment>,
}

/// Returns the schedule of each key in `rows`, in the order of `rows`.
#[must_use]
pub fn schedules(rows: &[KeyRow], settings: &ScheduleSettings) -> Vec<Schedule> {
    let mut ranked: Vec<_> = rows.iter().enumerate().collect();
    ranked.sort_by(|(_, one), (_, other)| rank(other).cmp(&rank(one)));
    let mut schedules: Vec<_> = rows.iter().map(|row| Schedule::of(row, None, settings)).collect();
    let mut successor: Option<&KeyRow> = None;
    // Keys are visited from the last to sign to the first. The successor of a key is the key visited last that has
    // times and is not revoked.
    for (at, row) in ranked {
        let follows = successor.filter(|successor| successor.alg == row.alg);
        if let Some(schedule) = schedules.get_mut(at) {
            *schedule = Schedule::of(row, follows, settings);
        }
        if row.revoked_at.is_none() && row.times.is_some() {
            successor = Some(row);
        }
    }
    schedules
}

impl Schedule {
    fn of(row: &KeyRow, successor: Option<&KeyRow>, settings: &ScheduleSettings) -> Self {
        let succeeded = row.times.and(successor).and_then(|successor| successor.times).map(|times| times.signs_from);
        let signs_until = [succeeded, row.ends_at].into_iter().flatten().min();
        // The largest settings while the key was published count, not the current configuration.
        let retire = retire_for(settings, row.max_lifetime, row.jwks_max_age);
        Self {
            announced_at: row.times.map(|times| times.announced_at),
            signs_from: row.times.map(|times| times.signs_from),
            signs_until,
            forget_at: signs_until.map(|until| until + retire),
            revoked_at: row.revoked_at,
        }
    }

    /// Returns the state of the key at `now`.
    #[must_use]
    pub fn state(&self, now: Moment) -> KeyState {
        let passed = |moment: Option<Moment>| moment.is_some_and(|moment| moment <= now);
        if self.revoked_at.is_some() {
            KeyState::Revoked
        } else if passed(self.forget_at) {
            KeyState::Forgotten
        } else if passed(self.signs_until) {
            KeyState::Retiring
        } else if passed(self.signs_from) {
            KeyState::Signing
        } else {
            KeyState::Announced
        }
    }
}

/// Returns the sort key for the order in which the keys of one algorithm sign. Keys with equal times are ordered by
/// `kid`, so that every replica has the same order.
fn rank(row: &KeyRow) -> (&'static str, Option<Moment>, &str) {
    (row.alg.name(), row.times.map(|times| times.signs_from), &row.kid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::Algorithm;
    use crate::store::KeyTimes;

    fn settings() -> ScheduleSettings {
        ScheduleSettings {
            rotation_period: Seconds::new(7 * 86_400),
            jwks_max_age: Seconds::new(300),
            announce_at_least: Seconds::new(1_200),
            refresh_interval: Seconds::new(5),
            clock_skew: Seconds::new(30),
            verifier_leeway: Seconds::new(300),
            max_lifetime: Seconds::new(3_600),
        }
    }

    fn row(kid: &str, signs_from: i64) -> KeyRow {
        KeyRow {
            kid: kid.to_owned(),
            alg: Algorithm::Rs256,
            sealed: None,
            kek: None,
            times: Some(KeyTimes {
                announced_at: Moment::from_unix(signs_from - 2_000),
                signs_from: Moment::from_unix(signs_from),
            }),
            ends_at: None,
            revoked_at: None,
            revoked_reason: None,
            jwks_max_age: Seconds::new(300),
            max_lifetime: Seconds::new(3_600),
        }
    }

    #[test]
    fn the_defaults_give_the_times_that_the_manual_names() {
        let settings = settings();
        assert_eq!(settings.announce_for(), Seconds::new(1_235));
        assert_eq!(settings.retire_for(), Seconds::new(4_230));
        assert_eq!(settings.documents_safe_for(), Seconds::new(900));
        assert_eq!(settings.refusal(), None);
        let hasty = ScheduleSettings { rotation_period: Seconds::new(5_464), ..settings };
        assert!(hasty.refusal().unwrap().contains("1h31m5s"));
    }

    #[test]
    fn a_key_is_announced_then_signs_then_retires_then_is_forgotten() {
        let rows = [row("a", 10_000), row("b", 20_000)];
        let schedule = schedules(&rows, &settings())[0];
        let state = |now| schedule.state(Moment::from_unix(now));
        assert_eq!(state(9_999), KeyState::Announced);
        assert_eq!(state(10_000), KeyState::Signing);
        assert_eq!(state(19_999), KeyState::Signing);
        assert_eq!(state(20_000), KeyState::Retiring);
        assert_eq!(state(24_229), KeyState::Retiring);
        assert_eq!(state(24_230), KeyState::Forgotten);
        assert_eq!(schedules(&rows, &settings())[1].signs_until, None);
    }

    #[test]
    fn a_key_of_a_removed_algorithm_stops_signing_with_it() {
        let mut rows = [row("a", 10_000), row("b", 20_000)];
        for row in &mut rows {
            row.ends_at = Some(Moment::from_unix(15_000));
        }
        let states = |now| {
            let schedules = schedules(&rows, &settings());
            [0, 1].map(|at: usize| schedules[at].state(Moment::from_unix(now)))
        };
        assert_eq!(states(14_999), [KeyState::Signing, KeyState::Announced]);
        assert_eq!(states(15_000), [KeyState::Retiring, KeyState::Retiring]);
        assert_eq!(states(19_230), [KeyState::Forgotten, KeyState::Forgotten]);
        assert_eq!(states(20_000), [KeyState::Forgotten, KeyState::Forgotten]);
    }

    #[test]
    fn a_key_without_times_signs_nothing_and_succeeds_nobody() {
        let mut waiting = row("b", 0);
        waiting.times = None;
        let rows = [row("a", 10_000), waiting];
        assert_eq!(schedules(&rows, &settings())[1].state(Moment::from_unix(99_999)), KeyState::Announced);
        assert_eq!(schedules(&rows, &settings())[0].state(Moment::from_unix(99_999)), KeyState::Signing);
    }

    #[test]
    fn a_shorter_max_lifetime_does_not_shorten_the_retirement_of_older_keys() {
        let mut older = row("a", 10_000);
        older.max_lifetime = Seconds::new(7_200);
        let rows = [older, row("b", 20_000)];
        let schedule = schedules(&rows, &settings())[0];
        assert_eq!(schedule.forget_at, Some(Moment::from_unix(20_000 + 7_830)));
    }

    #[test]
    fn at_every_moment_exactly_one_key_signs_and_a_revoked_one_never() {
        let mut rows = vec![row("a", 10_000), row("b", 20_000), row("c", 20_000), row("d", 30_000)];
        rows[2].revoked_at = Some(Moment::from_unix(5));
        for now in (10_000..40_000).step_by(500) {
            let schedules = schedules(&rows, &settings());
            let signing = rows
                .iter()
                .zip(schedules)
                .filter(|(_, times)| times.state(Moment::from_unix(now)) == KeyState::Signing);
            let signing: Vec<_> = signing.map(|(row, _)| row.kid.as_str()).collect();
            assert_eq!(signing, [["a", "b", "d"][(usize::try_from(now).unwrap() / 10_000).min(3) - 1]], "{now}");
        }
    }
}
