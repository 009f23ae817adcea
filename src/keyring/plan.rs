//! What the keys need now: a pure function from the rows, the settings and *now* to the next change. It knows no key
//! bytes and no database, so that a simulation can walk it through years.
//!
//! It never lets a key sign that was not announced for as long as caches may lack it, except at a first start, where no
//! cache can exist, and it never takes out a key that an unexpired token still needs.

use super::schedule::{KeyState, Schedule, ScheduleSettings, schedules};
use super::settings::KeyringSettings;
use crate::base::{Moment, Seconds};
use crate::jose::Algorithm;
use crate::store::{KeyChange, KeyRow, KeyRows, KeyTimes, ServerSettings};

/// One compare-and-swap: what changes, and which keys must be made for it first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PlanStep {
    /// Rows that change, and what all keys share.
    pub change: KeyChange,
    /// Keys to make.
    pub made: Vec<NewKey>,
}

impl PlanStep {
    /// Is there nothing to do?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A key that does not exist yet: everything about it but its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewKey {
    /// What it will sign with.
    pub alg: Algorithm,
    /// Its times; `None` until the first start that takes over.
    pub times: Option<KeyTimes>,
    /// What caches are told while it is live.
    pub jwks_max_age: Seconds,
    /// How long tokens may live while it is live.
    pub max_lifetime: Seconds,
}

impl NewKey {
    /// Its row, once it was made and sealed.
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

/// The step that is due, empty where none is: first keys where there are none at all, a reserve for every algorithm that
/// lacks one, the promise of the server that asks, private halves of forgotten keys erased.
///
/// `erasable_before` is a time that surely has passed; `None` erases nothing.
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
    draft.server_settings(server);
    if keys.rows.is_empty() {
        draft.begin();
    }
    draft.stock();
    if let Some(passed) = erasable_before {
        draft.erase(passed);
    }
    draft.step()
}

/// The rows as they will be, while an act decides.
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

    /// What differs from before.
    pub(super) fn step(self) -> PlanStep {
        let former = |row: &KeyRow| self.before.rows.iter().any(|before| before == row);
        let change = KeyChange {
            algorithms: (self.algorithms != self.before.algorithms).then_some(self.algorithms),
            latest_seen: self.latest_seen,
            server_settings: self.server_settings,
            takeover: None,
            rows: self.rows.into_iter().filter(|row| !former(row)).collect(),
            adopted: Vec::new(),
        };
        PlanStep { change, made: self.made }
    }

    /// How long a key that is announced now must wait: caches, and servers with an old view, go by what they were told
    /// or told others, not by what is configured here.
    pub(super) fn announce_for(&self) -> Seconds {
        self.largest(self.schedule.announce_for(), |server_settings| server_settings.announce_for)
    }

    /// The largest age that caches may have been told lately.
    pub(super) fn told(&self) -> Seconds {
        self.largest(self.schedule.jwks_max_age, |server_settings| server_settings.jwks_max_age)
    }

    fn largest(&self, own: Seconds, of: impl Fn(&ServerSettings) -> Seconds) -> Seconds {
        let counting = self
            .before
            .server_settings
            .iter()
            .filter(|server_settings| counts(server_settings, self.schedule, self.now));
        counting.map(of).fold(own, Seconds::max)
    }

    /// The nearest moment at which anything may switch: by then every replica has read it.
    pub(super) fn nearest_switch(&self) -> Moment {
        self.now + self.schedule.refresh_interval + self.schedule.clock_skew
    }

    /// The times of the rows, in their order.
    pub(super) fn times(&self) -> Vec<Schedule> {
        schedules(&self.rows, self.schedule)
    }

    /// The first keys of the algorithms that have none that could ever sign: they sign at once.
    pub(super) fn begin(&mut self) {
        let at = self.now - self.schedule.clock_skew;
        for alg in self.algorithms.clone() {
            if self.signing_times(alg).next().is_none() {
                self.make(alg, Some(KeyTimes { announced_at: at, signs_from: at }));
            }
        }
    }

    /// Brings every algorithm in force to one key that signs, or will first, and one in reserve behind it.
    pub(super) fn stock(&mut self) {
        let announced_at = self.now;
        let ripe = self.now + self.announce_for();
        for alg in self.algorithms.clone() {
            if self.rows.iter().any(|row| row.alg == alg && row.revoked_at.is_none() && row.times.is_none()) {
                continue; // They wait for the first start, reserve and all.
            }
            loop {
                let signs = self.signing_times(alg).any(|from| from <= self.now);
                let waiting = self.signing_times(alg).filter(|from| *from > self.now).count();
                if waiting >= if signs { 1 } else { 2 } {
                    break;
                }
                let turn = self.signing_times(alg).max().map_or(ripe, |last| last + self.schedule.rotation_period);
                self.make(alg, Some(KeyTimes { announced_at, signs_from: turn.max(ripe) }));
            }
        }
    }

    pub(super) fn make(&mut self, alg: Algorithm, times: Option<KeyTimes>) {
        let jwks_max_age = self.told();
        let max_lifetime = self.largest(self.schedule.max_lifetime, |server_settings| server_settings.max_lifetime);
        self.made.push(NewKey { alg, times, jwks_max_age, max_lifetime });
    }

    /// From when each key of this algorithm signs that may sign now or later.
    fn signing_times(&self, alg: Algorithm) -> impl Iterator<Item = Moment> {
        let rows = self.rows.iter().filter(move |row| row.alg == alg && may_sign(row)).filter_map(|row| row.times);
        let made = self.made.iter().filter(move |key| key.alg == alg).filter_map(|key| key.times);
        rows.chain(made).map(|times| times.signs_from)
    }

    /// Before a server tells the world anything under its settings, all of them know.
    fn server_settings(&mut self, server: &str) {
        let ScheduleSettings { jwks_max_age, max_lifetime, .. } = *self.schedule;
        if !is_covered(&self.before.server_settings, server, self.schedule) {
            self.server_settings = Some(ServerSettings {
                server: server.to_owned(),
                announce_for: self.schedule.announce_for(),
                jwks_max_age,
                max_lifetime,
                promised_at: self.now,
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

/// Can anybody still go by what was promised? A server that is cut off, and caches of what it serves, do for as long as
/// an announcement lasts.
fn counts(server_settings: &ServerSettings, schedule: &ScheduleSettings, now: Moment) -> bool {
    server_settings.promised_at + server_settings.announce_for + schedule.refresh_interval + schedule.clock_skew >= now
}

/// Do the others know under which settings this server tells the world how long caches and tokens last? If not, it tells
/// nothing, and signs nothing.
#[must_use]
pub fn is_covered(server_settings: &[ServerSettings], server: &str, schedule: &ScheduleSettings) -> bool {
    server_settings.iter().any(|server_settings| {
        server_settings.server == server
            && server_settings.announce_for == schedule.announce_for()
            && server_settings.jwks_max_age == schedule.jwks_max_age
            && server_settings.max_lifetime == schedule.max_lifetime
    })
}

/// Could this key sign, now or later?
pub(super) fn may_sign(row: &KeyRow) -> bool {
    row.revoked_at.is_none() && row.ends_at.is_none()
}
