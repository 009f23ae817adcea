//! Simulated replicas, one database, and caches of every age: time passes, servers stop, clocks step, settings change.
//! Reports the first token that some verifier would reject.

use std::collections::{BTreeMap, VecDeque};

use buildpass::base::{Moment, Seconds};
use buildpass::jose::Algorithm;
use buildpass::keyring::{KeyringSettings, PlanStep, change_algorithms, is_covered, rotate};
use buildpass::store::KeyRows;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{Planner, published, signer, swap};

/// One simulated server.
struct Replica {
    /// Server id, a new one after each start.
    name: String,
    settings: KeyringSettings,
    /// Offset of its clock, in seconds.
    off: i64,
    runs: bool,
    /// Time until which the database is unreachable.
    cut_off_until: i64,
    view: KeyRows,
    read_at: i64,
    /// Key set as rendered last.
    rendered: Vec<String>,
    /// Computed change that is not written yet: version, time and step.
    pending: Option<(u64, i64, PlanStep)>,
}

impl Replica {
    fn is_covered(&self) -> bool {
        is_covered(&self.view.server_settings, &self.name, &self.settings.schedule)
    }
}

/// Counts of events, to check that enough of each happened.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) keys: u64,
    pub(crate) signed: u64,
    pub(crate) served: u64,
    pub(crate) lost_swaps: u64,
    pub(crate) stops: u64,
    pub(crate) clock_steps: u64,
    pub(crate) reconfigured: u64,
    pub(crate) rotated: u64,
    pub(crate) algorithm_changes: u64,
}

pub(crate) struct World {
    random: StdRng,
    planner: Planner,
    now: i64,
    database: KeyRows,
    names: u64,
    replicas: Vec<Replica>,
    /// Key sets that some cache may still hold, with their expiry.
    caches: VecDeque<(i64, Vec<String>)>,
    /// Expiry of the last token of each key, leeway included.
    owed: BTreeMap<String, i64>,
    /// Last events, printed with a failure.
    story: VecDeque<String>,
    pub(crate) tally: Tally,
}

const BEGIN: i64 = 1_800_000_000;

impl World {
    pub(crate) fn new(seed: u64, replicas: usize, settings: &KeyringSettings, planner: Planner) -> Self {
        let replica = || Replica {
            name: String::new(),
            settings: settings.clone(),
            off: 0,
            runs: false,
            cut_off_until: 0,
            view: KeyRows::default(),
            read_at: i64::MIN / 2,
            rendered: Vec::new(),
            pending: None,
        };
        let mut world = Self {
            random: StdRng::seed_from_u64(seed),
            planner,
            now: BEGIN,
            database: KeyRows::default(),
            names: 0,
            replicas: (0..replicas).map(|_| replica()).collect(),
            caches: VecDeque::new(),
            owed: BTreeMap::new(),
            story: VecDeque::new(),
            tally: Tally::default(),
        };
        world.start(0);
        world
    }

    /// Simulates this many days.
    ///
    /// # Errors
    /// Description of the first token that a verifier would reject.
    pub(crate) fn live(&mut self, days: i64) -> Result<(), String> {
        let lived = self.live_on(days);
        lived.map_err(|failure| format!("{}\n{failure}", self.story.iter().cloned().collect::<Vec<_>>().join("\n")))
    }

    fn tell(&mut self, what: String) {
        self.story.push_back(format!("{}: {what}", self.now));
        if self.story.len() > 100 {
            self.story.pop_front();
        }
    }

    fn live_on(&mut self, days: i64) -> Result<(), String> {
        while self.now < BEGIN + days * 86_400 {
            self.pass_time();
            for _ in 0..self.random.random_range(2..8) {
                self.something_happens()?;
            }
            self.look()?;
        }
        self.tally.keys = self.names;
        Ok(())
    }

    /// Advances to a time at which something changes, to just before or after it, or part of the way.
    fn pass_time(&mut self) {
        let moments = self.database.rows.iter().filter_map(|row| row.times).map(|times| times.signs_from.unix());
        let next = moments.filter(|moment| *moment > self.now + 1).min().unwrap_or(self.now + 86_400);
        let busy = self.random.random_bool(0.95);
        let step =
            if busy { self.random.random_range(1..400) } else { next - self.now + self.random.random_range(-2..40) };
        self.now += step.max(1);
        let now = self.now;
        self.caches.retain(|(until, _)| *until >= now);
        // Rows that were erased long ago have no more effect and would only slow down ten years.
        let erased = |row: &buildpass::store::KeyRow| row.sealed.is_none();
        self.database.rows.retain(|row| !erased(row));
        self.database.server_settings.retain(|server_settings| server_settings.stored_at.unix() + 100_000 > now);
        // The loop of each server has run in the meantime, unless it was stopped.
        for at in 0..self.replicas.len() {
            self.tick(at);
        }
        for at in 0..self.replicas.len() {
            if self.random.random_bool(0.1) {
                self.start(at);
            }
        }
    }

    fn something_happens(&mut self) -> Result<(), String> {
        let at = self.random.random_range(0..self.replicas.len());
        match self.random.random_range(0..1_000) {
            0..350 => self.sign(at)?,
            350..600 => self.decide(at),
            600..850 => self.write(at),
            850..950 => self.tick(at),
            950..960 => self.stop_for_long(at),
            960..970 => self.start(at),
            970..980 => self.step_clock(at),
            980..984 => self.cut_off(at),
            984..988 => self.reconfigure(at),
            988..991 => self.rotate(at),
            991..993 => self.change_algorithms(at),
            _ => self.now += 1,
        }
        Ok(())
    }

    fn local(&self, at: usize) -> Moment {
        Moment::from_unix(self.now + self.replicas[at].off)
    }

    fn reaches_database(&self, at: usize) -> bool {
        self.replicas[at].cut_off_until <= self.now
    }

    /// Runs a start, before the first document is served.
    fn start(&mut self, at: usize) {
        if self.replicas[at].runs || !self.reaches_database(at) {
            return;
        }
        self.replicas[at].name = format!("{at} {}", self.now);
        let replica = &self.replicas[at];
        let step = (self.planner)(&self.database, &replica.settings, &replica.name, self.local(at), None);
        self.write_at_once(step);
        self.replicas[at].runs = true;
        self.tell(format!("{at} starts"));
        self.replicas[at].pending = None;
        self.tick(at);
    }

    /// Runs the loop of a server once: reads the rows and renders the key set.
    fn tick(&mut self, at: usize) {
        if !self.replicas[at].runs {
            return;
        }
        if self.reaches_database(at) {
            let local = self.local(at);
            let server = &self.replicas[at].name;
            for server_settings in
                self.database.server_settings.iter_mut().filter(|server_settings| server_settings.server == *server)
            {
                server_settings.stored_at = server_settings.stored_at.max(local);
            }
            self.replicas[at].view = self.database.clone();
            self.replicas[at].read_at = self.now;
        }
        let replica = &self.replicas[at];
        let rendered = published(&replica.view, &replica.settings.schedule, self.local(at));
        self.replicas[at].rendered = rendered;
    }

    fn decide(&mut self, at: usize) {
        if self.replicas[at].runs && self.reaches_database(at) {
            let local = self.local(at);
            let replica = &mut self.replicas[at];
            // A time that has certainly passed: an hour ago, less the clock skew.
            let passed = local - Seconds::new(3_600 + 60);
            let step = (self.planner)(&self.database, &replica.settings, &replica.name, local, Some(passed));
            replica.pending = (!step.is_empty()).then_some((self.database.version, self.now, step));
        }
    }

    fn write(&mut self, at: usize) {
        let reaches = self.reaches_database(at);
        let replica = &mut self.replicas[at];
        let Some((version, decided, step)) = replica.pending.take().filter(|_| replica.runs && reaches) else { return };
        let interval = i64::try_from(replica.settings.schedule.refresh_interval.get()).unwrap();
        if self.now - decided > interval {
            return;
        }
        let what = format!("{at} writes {:?} {:?}", step.change.server_settings, step.made);
        self.tell(what);
        if !swap(&mut self.database, version, step, &mut self.names) {
            self.tally.lost_swaps += 1;
        }
    }

    fn write_at_once(&mut self, step: PlanStep) {
        let version = self.database.version;
        assert!(swap(&mut self.database, version, step, &mut self.names));
    }

    fn sign(&mut self, at: usize) -> Result<(), String> {
        if !self.replicas[at].runs {
            return Ok(());
        }
        let interval = i64::try_from(self.replicas[at].settings.schedule.refresh_interval.get()).unwrap();
        if self.now - self.replicas[at].read_at > interval {
            if !self.reaches_database(at) {
                return Ok(());
            }
            self.tick(at);
        }
        if !self.replicas[at].is_covered() {
            return Ok(());
        }
        let local = self.local(at);
        for alg in self.replicas[at].view.algorithms.clone() {
            let replica = &self.replicas[at];
            let schedule = &replica.settings.schedule;
            let Some(kid) = signer(&replica.view, schedule, alg, local) else { continue };
            let lacking = self.caches.iter().find(|(until, held)| *until > self.now && !held.contains(&kid));
            if let Some((until, held)) = lacking {
                return Err(format!("{kid} signs at {}, and a cache until {until} holds only {held:?}", self.now));
            }
            let life = (schedule.max_lifetime + schedule.verifier_leeway).get();
            let until = local.unix() + i64::try_from(life).unwrap();
            let owed = self.owed.entry(kid).or_insert(until);
            *owed = until.max(*owed);
            self.tally.signed += 1;
        }
        Ok(())
    }

    /// Fetches every server's key set into a cache, and checks that it holds every key with unexpired tokens.
    fn look(&mut self) -> Result<(), String> {
        let now = self.now;
        self.owed.retain(|_, until| *until >= now);
        for replica in self.replicas.iter().filter(|replica| replica.runs) {
            let schedule = &replica.settings.schedule;
            let safe = i64::try_from(schedule.documents_safe_for().get()).unwrap();
            if self.now - replica.read_at > safe || !replica.is_covered() {
                continue;
            }
            if let Some((kid, until)) = self.owed.iter().find(|(kid, _)| !replica.rendered.contains(kid)) {
                let held = &replica.rendered;
                return Err(format!("{kid} is owed until {until}, and at {} only {held:?} are served", self.now));
            }
            let until = self.now + i64::try_from(schedule.jwks_max_age.get()).unwrap();
            self.caches.push_back((until, replica.rendered.clone()));
            self.tally.served += 1;
        }
        Ok(())
    }

    /// Stops one server for up to a week, sometimes all of them.
    fn stop_for_long(&mut self, at: usize) {
        self.tally.stops += 1;
        self.tell(format!("{at} stops"));
        self.replicas[at].runs = false;
        if self.random.random_bool(0.2) {
            for replica in &mut self.replicas {
                replica.runs = false;
            }
            self.now += self.random.random_range(60..7 * 86_400);
            self.start(at);
        }
    }

    /// Steps a clock; two clocks never differ by more than the skew.
    fn step_clock(&mut self, at: usize) {
        self.tally.clock_steps += 1;
        self.tell(format!("{at} steps its clock"));
        self.replicas[at].off = self.random.random_range(-15..=15);
        self.tick(at);
    }

    fn cut_off(&mut self, at: usize) {
        self.replicas[at].cut_off_until = self.now + self.random.random_range(1..4_000);
        self.replicas[at].pending = None;
        self.tell(format!("{at} is cut off until {}", self.replicas[at].cut_off_until));
    }

    /// Restarts a server with other settings.
    fn reconfigure(&mut self, at: usize) {
        if !self.reaches_database(at) {
            return;
        }
        let replica = &mut self.replicas[at];
        let schedule = &mut replica.settings.schedule;
        let mut pick = |choices: &[u64]| Seconds::new(choices[self.random.random_range(0..choices.len())]);
        schedule.jwks_max_age = pick(&[60, 300, 900, 3_600]);
        schedule.max_lifetime = pick(&[300, 3_600, 7_200]);
        schedule.announce_at_least = pick(&[0, 1_200]);
        schedule.rotation_period = pick(&[86_400, 3 * 86_400, 7 * 86_400]);
        replica.runs = false;
        self.tally.reconfigured += 1;
        self.tell(format!("{at} gets {:?}", self.replicas[at].settings.schedule));
        self.start(at);
    }

    fn rotate(&mut self, at: usize) {
        let settings = &self.replicas[at].settings;
        if let Ok((step, _)) = rotate(&self.database, settings, self.local(at), false) {
            self.tally.rotated += u64::from(!step.is_empty());
            self.tell(format!("{at} rotates"));
            self.write_at_once(step);
        }
    }

    fn change_algorithms(&mut self, at: usize) {
        const LISTS: [&[Algorithm]; 4] = [
            &[Algorithm::Rs256, Algorithm::Es256],
            &[Algorithm::Es256, Algorithm::Rs256],
            &[Algorithm::Rs256],
            &[Algorithm::Es256],
        ];
        let wanted = LISTS[self.random.random_range(0..LISTS.len())];
        let settings = &self.replicas[at].settings;
        if let Ok(step) = change_algorithms(&self.database, settings, self.local(at), wanted) {
            self.tally.algorithm_changes += u64::from(!step.is_empty());
            self.tell(format!("{at} lists {wanted:?}: {:?}", step.made));
            self.write_at_once(step);
        }
    }
}
