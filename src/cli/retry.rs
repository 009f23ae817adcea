//! How long a caller waits before it asks again, and when it gives up. Pure.

use std::time::Duration;

/// Before the second, third, … try, where the server does not say.
const WAITS: [Duration; 4] =
    [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(6)];

/// A job is not kept waiting for longer than this in all.
const LONGEST: Duration = Duration::from_secs(60);

/// What is left of a caller's patience.
#[derive(Debug, Default)]
pub(super) struct Patience {
    tries: usize,
    waited: Duration,
}

impl Patience {
    /// How long to wait before the next try; `None` to give up. `asked` is the server's `Retry-After`, `jitter` from 0
    /// to 255 spreads the tries of jobs that start together by up to a quarter.
    pub(super) fn wait(&mut self, asked: Option<Duration>, jitter: u8) -> Option<Duration> {
        let own = WAITS.get(self.tries)?;
        // Whoever asks for longer than a job waits at all may ask for any number.
        let wait = asked.map_or(*own, |asked| asked.max(*own)).min(LONGEST * 2);
        let wait = wait + wait.mul_f64(f64::from(jitter) / 255.0 / 4.0);
        self.tries += 1;
        self.waited += wait;
        (self.waited <= LONGEST).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_gives_up_after_five_tries() {
        let mut patience = Patience::default();
        let waits: Vec<_> = std::iter::from_fn(|| patience.wait(None, 0)).collect();
        assert_eq!(waits, WAITS);
    }

    #[test]
    fn a_caller_waits_as_long_as_it_is_asked_to_but_not_for_ever() {
        let ten = Some(Duration::from_secs(10));
        let mut patience = Patience::default();
        assert_eq!(patience.wait(ten, 0), ten);
        assert!(patience.wait(ten, 255) > ten);
        assert_eq!(patience.wait(Some(Duration::from_secs(3600)), 0), None);
        assert_eq!(Patience::default().wait(Some(Duration::from_secs(u64::MAX)), 255), None);
    }
}
