//! Result of the last pulse. A pulse is a write that changes nothing: the server makes a pulse every second to see
//! whether the database answers. `/health/ready` is answered from this result alone, so that a stuck database never
//! delays the answer.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Time between two pulses, the writes that show whether the database answers.
pub(crate) const PULSE_INTERVAL: Duration = Duration::from_secs(1);

/// Time limit of a pulse, the write that shows whether the database answers. A later answer counts as a failure.
pub(super) const PULSE_WITHIN: Duration = Duration::from_secs(1);

/// Time for which a successful pulse proves that the database works. An older pulse proves nothing, because the task
/// that makes a pulse every second is late or has ended.
const PULSE_PROVES_FOR: Duration = Duration::from_secs(5);

/// Result of the last pulse (the write that shows whether the database answers), and the time of the last successful
/// pulse.
pub(super) struct Pulse {
    works: AtomicBool,
    /// Time of the last successful pulse, in milliseconds of the monotonic clock.
    last: AtomicU64,
}

impl Pulse {
    /// Creates the state of a server that has just written to its database.
    pub(super) fn new(monotonic: Duration) -> Self {
        Self { works: AtomicBool::new(true), last: AtomicU64::new(millis(monotonic)) }
    }

    /// Returns whether the database works: the last pulse succeeded, and at most 5 s ago.
    pub(super) fn works(&self, monotonic: Duration) -> bool {
        let age = millis(monotonic).saturating_sub(self.last.load(Ordering::Relaxed));
        self.works.load(Ordering::Relaxed) && age <= millis(PULSE_PROVES_FOR)
    }

    /// Stores the result of a pulse. Returns whether the result differs from the result before.
    pub(super) fn keep(&self, works: bool, monotonic: Duration) -> bool {
        if works {
            self.last.store(millis(monotonic), Ordering::Relaxed);
        }
        self.works.swap(works, Ordering::Relaxed) != works
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_missed_pulse_is_enough_and_one_success_mends_it() {
        let at = Duration::from_secs;
        let pulse = Pulse::new(at(10));
        assert!(pulse.works(at(10)));
        assert!(pulse.keep(false, at(11)));
        assert!(!pulse.works(at(11)));
        assert!(!pulse.keep(false, at(12)), "the log hears of the first missed pulse alone");
        assert!(pulse.keep(true, at(13)));
        assert!(pulse.works(at(13)));
    }

    #[test]
    fn a_pulse_that_nobody_makes_any_more_proves_nothing() {
        let pulse = Pulse::new(Duration::from_secs(10));
        assert!(pulse.works(Duration::from_secs(15)));
        assert!(!pulse.works(Duration::from_millis(15_001)));
    }
}
