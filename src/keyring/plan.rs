//! Computes the next change of the signing keys: a pure function of the stored rows, the settings and the current time.
//! The function knows no key bytes and no database, so that a simulation can run through years.
//!
//! The plan never lets a key sign while some cache may lack the key, except at a first start, when no cache can exist.
//! The plan never removes a key that an unexpired token still needs.

use super::schedule::{KeyState, Schedule, ScheduleSettings, schedules};
use super::settings::KeyringSettings;
use crate::base::{Moment, Seconds};
use crate::jose::Algorithm;
use crate::store::{KeyChange, KeyRow, KeyRows, KeyTimes, ServerSettings};

/// A planned change of the signing keys, and the new keys to generate before the change is written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PlanStep {
    /// Change of the stored keys and of the settings that all keys share.
    pub change: KeyChange,
    /// Keys to generate and store with the change.
    pub made: Vec<NewKey>,
}

impl PlanStep {
    /// Returns whether there is nothing to change and no key to generate.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A signing key that is not generated yet: the row to store, without the key's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewKey {
    /// Signature algorithm of the key.
    pub alg: Algorithm,
    /// Times at which the key is published and begins to sign; `None` until the first start if another issuer still
    /// serves our URL.
    pub times: Option<KeyTimes>,
    /// Largest `max-age` with which the key set is served while the key is published.
    pub jwks_max_age: Seconds,
    /// Maximum lifetime of a token that the key signs.
    pub max_lifetime: Seconds,
}

impl NewKey {
    /// Returns the row to store, with the `kid` and sealed private key of the generated key.
    #[must_use]
    pub fn row(self, kid: String, sealed: Vec<u8>, kek: String) -> KeyRow {
        KeyRow {
            kid,
            alg: self.alg,
            sealed: Some(sealed),
            kek: Some(kek),
            times: self.times,
            ends_at: None,
            revoked_at: None,
            revoked_reason: None,
            jwks_max_age: self.jwks_max_age,
            max_lifetime: self.max_lifetime,
        }
    }
}

/// Returns the change of keys that is due, or an empty change. Creates the first keys if no key exists, and an
/// announced key for every algorithm without one; stores the settings of `server`; erases the private halves of keys
/// that have left the key set.
///
/// `erasable_before` is a time that has certainly passed; with `None` no private half is erased.
#[must_use]
pub fn plan(
    keys: &KeyRows,
    settings: &KeyringSettings,
    server: &str,
    now: Moment,
    erasable_before: Option<Moment>,
) -> PlanStep {
    let mut draft = PlanDraft::new(keys, settings, now);
    if keys.algorithms.is_empty() {
        draft.algorithms.clone_from(&settings.algorithms);
    }
    draft.store_settings(server);
    if keys.rows.is_empty() {
        draft.add_first_keys();
    }
    draft.announce_next_keys();
    if let Some(passed) = erasable_before {
        draft.erase(passed);
    }
    draft.step()
}

/// A change of keys that is being computed: a copy of the stored rows, which the methods below modify.
pub(super) struct PlanDraft<'a> {
    before: &'a KeyRows,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) rows: Vec<KeyRow>,
    pub(super) made: Vec<NewKey>,
    pub(super) latest_seen: Option<Moment>,
    server_settings: Option<ServerSettings>,
    pub(super) schedule: &'a ScheduleSettings,
    pub(super) now: Moment,
}

impl<'a> PlanDraft<'a> {
    pub(super) fn new(before: &'a KeyRows, settings: &'a KeyringSettings, now: Moment) -> Self {
        Self {
            before,
            algorithms: before.algorithms.clone(),
            rows: before.rows.clone(),
            made: Vec::new(),
            latest_seen: None,
            server_settings: None,
            schedule: &settings.schedule,
            now,
        }
    }

    /// Returns the change: the difference between the changed copy and the stored rows.
    pub(super) fn step(self) -> PlanStep {
        let is_unchanged = |row: &KeyRow| self.before.rows.iter().any(|before| before == row);
        let change = KeyChange {
            algorithms: (self.algorithms != self.before.algorithms).then_some(self.algorithms),
            latest_seen: self.latest_seen,
            server_settings: self.server_settings,
            takeover: None,
            rows: self.rows.into_iter().filter(|row| !is_unchanged(row)).collect(),
            adopted: Vec::new(),
        };
        PlanStep { change, made: self.made }
    }

    /// Returns the time for which a key that is announced now must wait before it signs. This is the largest setting of
    /// all servers, since a cache may hold the key set of any server for as long as that server's headers allow.
    pub(super) fn announce_for(&self) -> Seconds {
        self.largest(self.schedule.announce_for(), |server| server.announce_for)
    }

    /// Returns the largest `max-age` with which any server may have served the key set lately.
    pub(super) fn largest_max_age(&self) -> Seconds {
        self.largest(self.schedule.jwks_max_age, |server| server.jwks_max_age)
    }

    fn largest(&self, own: Seconds, of: impl Fn(&ServerSettings) -> Seconds) -> Seconds {
        let servers = self.before.server_settings.iter();
        servers.filter(|server| is_in_use(server, self.schedule, self.now)).map(of).fold(own, Seconds::max)
    }

    /// Returns the earliest time at which another key may begin to sign. By then every replica has read the change.
    pub(super) fn nearest_switch(&self) -> Moment {
        self.now + self.schedule.refresh_interval + self.schedule.clock_skew
    }

    /// Returns the schedule of each key, in the order of `rows`.
    pub(super) fn times(&self) -> Vec<Schedule> {
        schedules(&self.rows, self.schedule)
    }

    /// For every algorithm that has no key to sign with now or later, adds a key that signs at once.
    pub(super) fn add_first_keys(&mut self) {
        let at = self.now - self.schedule.clock_skew;
        for alg in self.algorithms.clone() {
            if self.signing_times(alg).next().is_none() {
                self.add_key(alg, Some(KeyTimes { announced_at: at, signs_from: at }));
            }
        }
    }

    /// Adds keys until every algorithm has a key that signs (or will be the first to sign) and an announced key.
    pub(super) fn announce_next_keys(&mut self) {
        let announced_at = self.now;
        let in_every_cache_from = self.now + self.announce_for();
        for alg in self.algorithms.clone() {
            if self.rows.iter().any(|row| row.alg == alg && row.revoked_at.is_none() && row.times.is_none()) {
                continue; // All keys of the algorithm wait for the first start.
            }
            loop {
                let signs = self.signing_times(alg).any(|from| from <= self.now);
                let waiting = self.signing_times(alg).filter(|from| *from > self.now).count();
                if waiting >= if signs { 1 } else { 2 } {
                    break;
                }
                let turn = self
                    .signing_times(alg)
                    .max()
                    .map_or(in_every_cache_from, |last| last + self.schedule.rotation_period);
                self.add_key(alg, Some(KeyTimes { announced_at, signs_from: turn.max(in_every_cache_from) }));
            }
        }
    }

    pub(super) fn add_key(&mut self, alg: Algorithm, times: Option<KeyTimes>) {
        let jwks_max_age = self.largest_max_age();
        let max_lifetime = self.largest(self.schedule.max_lifetime, |server| server.max_lifetime);
        self.made.push(NewKey { alg, times, jwks_max_age, max_lifetime });
    }

    /// Returns when the keys of this algorithm begin to sign. Leaves out keys that sign neither now nor later.
    fn signing_times(&self, alg: Algorithm) -> impl Iterator<Item = Moment> {
        let rows = self.rows.iter().filter(move |row| row.alg == alg && may_sign(row)).filter_map(|row| row.times);
        let made = self.made.iter().filter(move |key| key.alg == alg).filter_map(|key| key.times);
        rows.chain(made).map(|times| times.signs_from)
    }

    /// Adds the settings of `server` to the change. All servers must know these settings before `server` serves a
    /// document or signs a token.
    fn store_settings(&mut self, server: &str) {
        let ScheduleSettings { jwks_max_age, max_lifetime, .. } = *self.schedule;
        if !is_covered(&self.before.server_settings, server, self.schedule) {
            self.server_settings = Some(ServerSettings {
                server: server.to_owned(),
                announce_for: self.schedule.announce_for(),
                jwks_max_age,
                max_lifetime,
                stored_at: self.now,
            });
        }
        let times = self.times();
        for (row, _) in self.rows.iter_mut().zip(times).filter(|(_, times)| times.state(self.now).is_published()) {
            row.jwks_max_age = row.jwks_max_age.max(jwks_max_age);
            row.max_lifetime = row.max_lifetime.max(max_lifetime);
        }
    }

    fn erase(&mut self, passed: Moment) {
        let times = self.times();
        for (row, _) in self.rows.iter_mut().zip(times).filter(|(_, times)| times.state(passed) == KeyState::Forgotten)
        {
            (row.sealed, row.kek) = (None, None);
        }
    }
}

/// Returns whether a server may still run with these settings. A server without a database connection, and caches of
/// its documents, follow the settings for up to `announce_for`.
fn is_in_use(settings: &ServerSettings, schedule: &ScheduleSettings, now: Moment) -> bool {
    settings.stored_at + settings.announce_for + schedule.refresh_interval + schedule.clock_skew >= now
}

/// Returns whether the stored settings of `server` equal the settings in `schedule`. Otherwise other servers do not
/// know how long the server's tokens and cached documents last, and the server must neither serve documents nor sign
/// tokens.
#[must_use]
pub fn is_covered(server_settings: &[ServerSettings], server: &str, schedule: &ScheduleSettings) -> bool {
    server_settings.iter().any(|stored| {
        stored.server == server
            && stored.announce_for == schedule.announce_for()
            && stored.jwks_max_age == schedule.jwks_max_age
            && stored.max_lifetime == schedule.max_lifetime
    })
}

/// Returns whether this key may sign, now or later.
pub(super) fn may_sign(row: &KeyRow) -> bool {
    row.revoked_at.is_none() && row.ends_at.is_none()
}
