//! Schedules of keys without key bytes: simulated over years, and checked in every state of a small model.

mod model;
mod simulation;
mod world;

use buildpass::base::{Moment, Seconds};
use buildpass::jose::Algorithm;
use buildpass::keyring::{KeyState, KeyringSettings, PlanStep, ScheduleSettings, plan, schedules};
use buildpass::store::KeyRows;

/// Settings of the default configuration.
pub(crate) fn defaults() -> KeyringSettings {
    KeyringSettings {
        schedule: ScheduleSettings {
            rotation_period: Seconds::new(7 * 86_400),
            jwks_max_age: Seconds::new(300),
            announce_at_least: Seconds::new(1_200),
            refresh_interval: Seconds::new(5),
            clock_skew: Seconds::new(30),
            verifier_leeway: Seconds::new(300),
            max_lifetime: Seconds::new(3_600),
        },
        algorithms: vec![Algorithm::Rs256, Algorithm::Es256],
        rsa_bits: 2048,
    }
}

/// Computes the change that is due: the real plan, or one that is broken on purpose.
pub(crate) type Planner = fn(&KeyRows, &KeyringSettings, &str, Moment, Option<Moment>) -> PlanStep;

/// Plan of Concourse, Dex and Vela: a key signs as soon as it exists.
pub(crate) fn without_announcement(
    keys: &KeyRows,
    settings: &KeyringSettings,
    server: &str,
    now: Moment,
    passed: Option<Moment>,
) -> PlanStep {
    let mut step = plan(keys, settings, server, now, passed);
    let period = settings.schedule.rotation_period;
    let due = |keys: &KeyRows| {
        let signs = keys.rows.iter().filter_map(|row| row.times).map(|times| times.signs_from);
        signs.filter(|from| *from <= now).max().is_none_or(|from| from + period <= now)
    };
    if due(keys) {
        for times in step.made.iter_mut().filter_map(|key| key.times.as_mut()) {
            times.signs_from = now;
        }
    } else {
        step.made.clear();
    }
    step
}

/// Writes a step as the store does, with kids only. Returns `false` on a conflict.
pub(crate) fn swap(keys: &mut KeyRows, expected: u64, step: PlanStep, name: &mut u64) -> bool {
    if keys.version != expected {
        return false;
    }
    if step.is_empty() {
        return true;
    }
    let made = step.made.into_iter().map(|key| {
        *name += 1;
        key.row(format!("{name:06}"), vec![0], "k".to_owned())
    });
    for row in step.change.rows.into_iter().chain(made) {
        match keys.rows.iter_mut().find(|known| known.kid == row.kid) {
            Some(known) => *known = row,
            None => keys.rows.push(row),
        }
    }
    if let Some(server_settings) = step.change.server_settings {
        keys.server_settings.retain(|known| known.server != server_settings.server);
        keys.server_settings.push(server_settings);
    }
    if let Some(algorithms) = step.change.algorithms {
        keys.algorithms = algorithms;
    }
    keys.version += 1;
    true
}

/// Kids of the keys that are published at `now`.
pub(crate) fn published(keys: &KeyRows, settings: &ScheduleSettings, now: Moment) -> Vec<String> {
    let states = keys.rows.iter().zip(schedules(&keys.rows, settings));
    let live = states.filter(|(_, times)| times.state(now).is_published());
    live.map(|(row, _)| row.kid.clone()).collect()
}

/// `kid` of the key of this algorithm that signs at `now`.
pub(crate) fn signer(keys: &KeyRows, settings: &ScheduleSettings, alg: Algorithm, now: Moment) -> Option<String> {
    let states = keys.rows.iter().zip(schedules(&keys.rows, settings));
    let mut signing = states.filter(|(row, times)| row.alg == alg && times.state(now) == KeyState::Signing);
    let (row, _) = signing.next()?;
    assert_eq!(signing.next().map(|(row, _)| &row.kid), None, "one key signs, and no other");
    Some(row.kid.clone())
}
