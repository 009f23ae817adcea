//! Model check of a small world: two replicas, one database, times of a few seconds, and every order in which they can
//! read, decide and write. Replicas sign and serve whenever they may, and caches keep whatever is served, which is the
//! worst case. The simulation draws random orders; the model tries all of them.

use std::collections::BTreeSet;

use buildpass::base::{Moment, Seconds};
use buildpass::jose::Algorithm;
use buildpass::keyring::{KeyringSettings, ScheduleSettings, plan};
use buildpass::store::{KeyRow, KeyRows, KeyTimes, ServerSettings};
use stateright::{Checker, HasDiscoveries, Model, Property};

use super::{Planner, published, signer, without_announcement};

/// End of the model's time in seconds: long enough for two keys to be forgotten.
const HORIZON: i64 = 18;

/// Settings of one algorithm: announced for 3 s, retired for 2 s, rotated every 5 s.
fn settings() -> KeyringSettings {
    KeyringSettings {
        schedule: ScheduleSettings {
            rotation_period: Seconds::new(5),
            jwks_max_age: Seconds::new(1),
            announce_at_least: Seconds::ZERO,
            refresh_interval: Seconds::new(1),
            clock_skew: Seconds::ZERO,
            verifier_leeway: Seconds::ZERO,
            max_lifetime: Seconds::new(1),
        },
        algorithms: vec![Algorithm::Es256],
        rsa_bits: 2048,
    }
}

/// `announced_at` and `signs_from` of each key, in the order of creation. Their number is the version, since nothing else
/// changes in the model.
type Keys = Vec<(i64, i64)>;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Replica {
    view: Keys,
    read_at: i64,
    /// Computed change that is not written yet, with its time and version.
    decided: Option<(i64, usize, Keys)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct World {
    now: i64,
    database: Keys,
    replicas: [Replica; 2],
    /// Key sets in caches, with their expiry.
    caches: BTreeSet<(i64, Vec<String>)>,
    /// Expiry of the last token of each key.
    owed: BTreeSet<(String, i64)>,
    failed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    ASecondPasses,
    Decide(usize),
    Read(usize),
    Write(usize),
}

struct SmallWorld {
    settings: KeyringSettings,
    planner: Planner,
}

impl SmallWorld {
    /// Rows of the model in the store's form. Both servers run and store their settings all the time.
    fn rows(&self, keys: &Keys, now: i64) -> KeyRows {
        let schedule = &self.settings.schedule;
        let row = |(number, (announced_at, signs_from)): (usize, &(i64, i64))| KeyRow {
            kid: number.to_string(),
            alg: Algorithm::Es256,
            sealed: Some(vec![]),
            kek: Some(String::new()),
            times: Some(KeyTimes {
                announced_at: Moment::from_unix(*announced_at),
                signs_from: Moment::from_unix(*signs_from),
            }),
            ends_at: None,
            revoked_at: None,
            revoked_reason: None,
            jwks_max_age: schedule.jwks_max_age,
            max_lifetime: schedule.max_lifetime,
        };
        let server_settings = |server: &str| ServerSettings {
            server: server.to_owned(),
            announce_for: schedule.announce_for(),
            jwks_max_age: schedule.jwks_max_age,
            max_lifetime: schedule.max_lifetime,
            stored_at: Moment::from_unix(now),
        };
        KeyRows {
            version: 1,
            algorithms: self.settings.algorithms.clone(),
            server_settings: vec![server_settings("0"), server_settings("1")],
            rows: keys.iter().enumerate().map(row).collect(),
            ..KeyRows::default()
        }
    }

    fn due(&self, keys: &Keys, now: i64) -> Keys {
        let step = (self.planner)(&self.rows(keys, now), &self.settings, "0", Moment::from_unix(now), None);
        let times = step.made.into_iter().filter_map(|key| key.times);
        times.map(|times| (times.announced_at.unix(), times.signs_from.unix())).collect()
    }

    /// Key set that a replica serves, if it may.
    fn served(&self, replica: &Replica, now: i64) -> Option<Vec<String>> {
        let safe = i64::try_from(self.settings.schedule.documents_safe_for().get()).unwrap();
        let rows = self.rows(&replica.view, now);
        (now - replica.read_at <= safe).then(|| published(&rows, &self.settings.schedule, Moment::from_unix(now)))
    }

    /// Puts every key set that is served now into a cache for a second.
    fn fill_caches(&self, world: &mut World) {
        for at in 0..2 {
            if let Some(held) = self.served(&world.replicas[at], world.now) {
                world.caches.insert((world.now + 1, held));
            }
        }
    }

    fn sign(&self, world: &mut World, at: usize) {
        if world.now - world.replicas[at].read_at > 1 {
            return;
        }
        let rows = self.rows(&world.replicas[at].view, world.now);
        let now = Moment::from_unix(world.now);
        let Some(kid) = signer(&rows, &self.settings.schedule, Algorithm::Es256, now) else { return };
        world.failed |= world.caches.iter().any(|(until, held)| *until > world.now && !held.contains(&kid));
        world.owed.insert((kid, world.now + 1));
    }
}

/// Removes what has no more effect, so that equal states are merged.
fn forget_what_has_no_effect(world: &mut World) {
    let now = world.now;
    for replica in &mut world.replicas {
        if now - replica.read_at > 1 {
            (replica.view, replica.read_at) = (Keys::new(), now - 2);
        }
        replica.decided.take_if(|(decided, upon, _)| now - *decided > 1 || *upon != world.database.len());
    }
}

impl Model for SmallWorld {
    type State = World;
    type Action = Act;

    fn init_states(&self) -> Vec<World> {
        let first = self.due(&Keys::new(), 0);
        let replica = || Replica { view: first.clone(), read_at: 0, decided: None };
        vec![World {
            now: 0,
            database: first.clone(),
            replicas: [replica(), replica()],
            caches: BTreeSet::new(),
            owed: BTreeSet::new(),
            failed: false,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Act>) {
        if world.now < HORIZON {
            actions.push(Act::ASecondPasses);
        }
        for at in 0..2 {
            actions.extend([Act::Decide(at), Act::Read(at), Act::Write(at)]);
        }
    }

    fn next_state(&self, last: &World, act: Act) -> Option<World> {
        let mut world = last.clone();
        let now = world.now;
        match act {
            Act::ASecondPasses => {
                world.now += 1;
                let now = world.now;
                world.caches.retain(|(until, _)| *until > now);
                world.owed.retain(|(_, until)| *until >= now);
            }
            Act::Decide(at) => {
                let due = self.due(&world.database, now);
                world.replicas[at].decided = (!due.is_empty()).then_some((now, world.database.len(), due));
            }
            Act::Read(at) => {
                (world.replicas[at].view, world.replicas[at].read_at) = (world.database.clone(), now);
            }
            Act::Write(at) => {
                let (decided, upon, due) = world.replicas[at].decided.take()?;
                if now - decided <= 1 && upon == world.database.len() {
                    world.database.extend(due);
                }
            }
        }
        self.fill_caches(&mut world);
        self.sign(&mut world, 0);
        self.sign(&mut world, 1);
        for replica in &world.replicas {
            if let Some(held) = self.served(replica, world.now) {
                world.failed |= world.owed.iter().any(|(kid, _)| !held.contains(kid));
            }
        }
        forget_what_has_no_effect(&mut world);
        (world != *last).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no token that lives fails", |_, world: &World| !world.failed),
            Property::sometimes("two keys are forgotten", |model: &Self, world: &World| {
                let live = published(
                    &model.rows(&world.database, world.now),
                    &model.settings.schedule,
                    Moment::from_unix(world.now),
                );
                !live.contains(&"0".to_owned()) && !live.contains(&"1".to_owned())
            }),
        ]
    }
}

#[test]
fn in_no_order_of_events_does_an_unexpired_token_fail() {
    let world = SmallWorld { settings: settings(), planner: plan };
    let checked = world.checker().threads(2).spawn_bfs().join();
    checked.assert_properties();
    assert!(checked.unique_state_count() > 5_000, "{} states", checked.unique_state_count());
}

#[test]
fn without_the_announce_rule_some_order_of_events_breaks_a_token() {
    let world = SmallWorld { settings: settings(), planner: without_announcement };
    let checked = world.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    assert!(checked.discovery("no token that lives fails").is_some());
}
