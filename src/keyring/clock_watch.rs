//! Checks that the clock of this server is right, by comparing the clock with the date of this release, with the
//! largest time that any server has stored, and with the clock of the database server. A comparison is never based on a
//! query that took too long.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::base::{Moment, RELEASED, Seconds};
use crate::store::KeyPoll;

/// Length of the period whose smallest wall-clock time decides which private keys and audit rows are erased. A clock
/// that runs ahead for less than an hour thus erases nothing too early.
const ERASE_AFTER: Duration = Duration::from_secs(3_600);

/// Error returned when the clock of this server is not sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClockFault {
    /// The clock of this server differs too much from the clock of the database server.
    #[error(
        "the clock is at {now} and the database server's clock at {database}, more than {allowed} (half of \
         keys.clock_skew) apart: synchronize both, for example by NTP"
    )]
    Apart {
        /// Time that the clock of this server shows.
        now: Moment,
        /// Time that the clock of the database server shows.
        database: Moment,
        /// Largest allowed difference between the two clocks.
        allowed: Seconds,
    },
    /// The clock of this server is before the date of this release.
    #[error(
        "the clock is at {now}, before {RELEASED}, the date of this release: correct the clock, for example by NTP"
    )]
    BeforeRelease {
        /// Time that the clock of this server shows.
        now: Moment,
    },
    /// The clock of this server is behind a time that a server has stored before.
    #[error(
        "the clock is at {now}, more than keys.clock_skew behind {latest}, the latest time that a server has stored: \
         correct the clock; if it is right now and ran ahead before, run `buildpass keys clock --accept`"
    )]
    Behind {
        /// Time that the clock of this server shows.
        now: Moment,
        /// Largest time that any server has stored.
        latest: Moment,
    },
}

/// Times that the server's wall clock and monotonic clock showed at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub(super) wall_millis: i64,
    pub(super) monotonic: Duration,
}

/// Data by which the clock of this server is checked.
pub(super) struct ClockWatch {
    skew: Seconds,
    /// Largest time that any server has stored, in seconds since 1970.
    latest: AtomicI64,
    /// Milliseconds by which the database server's clock was last ahead of ours (negative: behind); 0 if the difference
    /// is allowed.
    apart: AtomicI64,
    /// Smallest wall-clock time read in each minute of the last hour, with the minute on the monotonic clock, oldest
    /// first.
    readings: Mutex<VecDeque<(Duration, Moment)>>,
}

impl ClockWatch {
    pub(super) fn new(skew: Seconds) -> Self {
        Self { skew, latest: AtomicI64::new(i64::MIN), apart: AtomicI64::new(0), readings: Mutex::new(VecDeque::new()) }
    }

    /// Replaces the largest stored time by the value in the database, which is smaller after an operator accepted the
    /// current time.
    pub(super) fn set_latest(&self, latest: Option<Moment>) {
        self.latest.store(latest.map_or(i64::MIN, Moment::unix), Ordering::Relaxed);
    }

    /// Raises the largest stored time to `now`, which this server has written to the database.
    pub(super) fn raise_latest(&self, now: Moment) {
        self.latest.fetch_max(now.unix(), Ordering::Relaxed);
    }

    /// Compares this server's clock with the database server's clock, which was read between `asked` and `answered`.
    pub(super) fn observe(&self, poll: &KeyPoll, asked: Reading, answered: Reading) {
        if let Some(latest) = poll.latest_seen {
            self.raise_latest(latest);
        }
        let Some(server) = poll.server_millis else { return };
        let half_skew = self.half_skew_millis();
        let took = i64::try_from(answered.monotonic.saturating_sub(asked.monotonic).as_millis()).unwrap_or(i64::MAX);
        if took > half_skew {
            return;
        }
        let off = server.saturating_sub(answered.wall_millis.saturating_sub(took / 2));
        self.apart.store(if off.saturating_abs() > half_skew { off } else { 0 }, Ordering::Relaxed);
    }

    /// Checks that the clock of this server, which shows `now`, is sound.
    ///
    /// # Errors
    /// [`ClockFault`].
    pub(super) fn check(&self, now: Moment) -> Result<(), ClockFault> {
        if now < RELEASED {
            return Err(ClockFault::BeforeRelease { now });
        }
        if let Some(database) = self.database_time(now) {
            let allowed = Seconds::new(u64::try_from(self.half_skew_millis() / 1_000).unwrap_or(0));
            return Err(ClockFault::Apart { now, database, allowed });
        }
        let latest = Moment::from_unix(self.latest.load(Ordering::Relaxed));
        if now + self.skew < latest { Err(ClockFault::Behind { now, latest }) } else { Ok(()) }
    }

    /// Returns the range in which the true time lies while this server's clock shows `now`. The range is `now` alone if
    /// the clock is sound.
    pub(super) fn possible_times(&self, now: Moment) -> RangeInclusive<Moment> {
        if self.check(now).is_ok() {
            return now..=now;
        }
        let database = self.database_time(now).unwrap_or(now);
        let latest = Moment::from_unix(self.latest.load(Ordering::Relaxed));
        now.min(database)..=now.max(database).max(latest)
    }

    /// Returns the time of the database server's clock while this server's clock shows `now`, if the two clocks are too
    /// far apart; otherwise `None`.
    fn database_time(&self, now: Moment) -> Option<Moment> {
        let apart = self.apart.load(Ordering::Relaxed);
        (apart != 0).then(|| Moment::from_unix(now.unix().saturating_add(apart.div_euclid(1_000))))
    }

    /// Returns a time that has certainly passed: the smallest wall-clock time read within the last hour of the
    /// monotonic clock. Returns `None` during the first hour.
    pub(super) fn surely_passed(&self, now: Moment, monotonic: Duration) -> Option<Moment> {
        let mut readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        match readings.back_mut() {
            Some((at, least)) if at.as_secs() / 60 == monotonic.as_secs() / 60 => *least = (*least).min(now),
            _ => readings.push_back((monotonic, now)),
        }
        let hour_ago = monotonic.checked_sub(ERASE_AFTER)?;
        // The last reading before the hour is kept, since this reading proves that a whole hour has passed.
        while readings.get(1).is_some_and(|(at, _)| *at <= hour_ago) {
            readings.pop_front();
        }
        let (oldest, _) = readings.front()?;
        (*oldest <= hour_ago).then(|| readings.iter().map(|(_, least)| *least).min()).flatten()
    }

    fn half_skew_millis(&self) -> i64 {
        i64::try_from(self.skew.get().saturating_mul(500)).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SKEW: Seconds = Seconds::new(30);

    /// Returns the time that is this many seconds after the release.
    fn at(seconds: i64) -> Moment {
        Moment::from_unix(RELEASED.unix() + seconds)
    }

    fn reading(wall_millis: i64, monotonic: u64) -> Reading {
        let wall_millis = RELEASED.unix() * 1_000 + wall_millis;
        Reading { wall_millis, monotonic: Duration::from_millis(monotonic) }
    }

    fn poll(latest: Option<i64>, server_millis: Option<i64>) -> KeyPoll {
        let server_millis = server_millis.map(|millis| RELEASED.unix() * 1_000 + millis);
        KeyPoll { version: 1, latest_seen: latest.map(at), server_millis }
    }

    #[test]
    fn a_clock_may_be_behind_the_largest_time_seen_by_the_skew_and_no_more() {
        let watch = ClockWatch::new(SKEW);
        watch.check(at(1)).unwrap();
        watch.observe(&poll(Some(1_000), None), reading(0, 0), reading(0, 0));
        watch.check(at(970)).unwrap();
        assert_eq!(watch.check(at(969)), Err(ClockFault::Behind { now: at(969), latest: at(1_000) }));
        watch.set_latest(Some(at(500)));
        watch.check(at(600)).unwrap();
    }

    #[test]
    fn two_clocks_may_differ_by_half_the_skew_and_half_the_round_trip_is_taken_off() {
        for took in [0, 8_000] {
            for (off, believed) in [(15_000, true), (15_001, false), (-15_000, true), (-15_001, false)] {
                let watch = ClockWatch::new(SKEW);
                let server = 1_000_000 + took / 2 + off;
                let answered = reading(1_000_000 + took, u64::try_from(took).unwrap());
                watch.observe(&poll(None, Some(server)), reading(1_000_000, 0), answered);
                assert_eq!(watch.check(at(1_000)).is_ok(), believed, "{off} {took}");
            }
        }
    }

    #[test]
    fn a_reading_that_took_too_long_counts_for_nothing() {
        let watch = ClockWatch::new(SKEW);
        watch.observe(&poll(None, Some(900_000)), reading(0, 0), reading(0, 15_001));
        watch.check(at(1)).unwrap();
        watch.observe(&poll(None, Some(900_000)), reading(0, 0), reading(0, 15_000));
        assert!(watch.check(at(1)).is_err());
        watch.observe(&poll(None, Some(100)), reading(0, 0), reading(0, 15_001));
        assert!(watch.check(at(1)).is_err(), "and does not clear a fault either");
        watch.observe(&poll(None, Some(100)), reading(100, 0), reading(100, 1));
        watch.check(at(1)).unwrap();
    }

    #[test]
    fn nothing_is_surely_past_before_an_hour_and_a_jump_ahead_hastens_nothing() {
        let watch = ClockWatch::new(SKEW);
        let passed = |second: u64, wall: i64| watch.surely_passed(at(wall), Duration::from_secs(second));
        for second in (0..3_600).step_by(5) {
            assert_eq!(passed(second, 1_000_000 + i64::try_from(second).unwrap()), None);
        }
        assert_eq!(passed(3_600, 1_003_600), Some(at(1_000_000)));
        assert_eq!(passed(3_660, 1_003_660), Some(at(1_000_060)));
        // Two years ahead for a minute.
        assert!(passed(3_720, 64_000_000).unwrap() < at(1_000_200));
        assert!(passed(3_780, 1_003_780).unwrap() < at(1_000_300));
    }

    #[test]
    fn a_clock_before_the_release_is_doubted_and_the_text_names_both_times() {
        let watch = ClockWatch::new(SKEW);
        watch.check(at(0)).unwrap();
        let fault = watch.check(at(-1)).unwrap_err();
        assert_eq!(fault, ClockFault::BeforeRelease { now: at(-1) });
        let text = fault.to_string();
        assert!(text.contains(&at(-1).to_string()) && text.contains(&RELEASED.to_string()), "{text}");
        watch.observe(&poll(None, Some(3_600_000)), reading(60_000, 0), reading(60_000, 0));
        let fault = watch.check(at(60)).unwrap_err();
        assert_eq!(fault, ClockFault::Apart { now: at(60), database: at(3_600), allowed: Seconds::new(15) });
        let text = fault.to_string();
        assert!(text.contains(&at(60).to_string()) && text.contains(&at(3_600).to_string()), "{text}");
    }

    #[test]
    fn documents_of_a_doubted_clock_reckon_with_every_time_that_it_may_be() {
        let watch = ClockWatch::new(SKEW);
        assert_eq!(watch.possible_times(at(60)), at(60)..=at(60));
        watch.raise_latest(at(100));
        assert_eq!(watch.possible_times(at(60)), at(60)..=at(100));
        watch.observe(&poll(None, Some(3_600_000)), reading(60_000, 0), reading(60_000, 0));
        assert_eq!(watch.possible_times(at(60)), at(60)..=at(3_600));
        watch.observe(&poll(None, Some(0)), reading(3_600_000, 0), reading(3_600_000, 0));
        assert_eq!(watch.possible_times(at(3_600)), at(0)..=at(3_600));
    }
}
