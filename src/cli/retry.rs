//! Decides how long an HTTP client waits before it retries a request, and when the client gives up. The code never
//! sleeps and reads no clock.

use std::time::Duration;

/// Minimum waits before the first, second, third and fourth retry of a request. A longer `Retry-After` of the server
/// takes precedence.
const WAITS: [Duration; 4] =
    [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(6)];

/// Maximum total time that a client waits before the retries of one request.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// Number of retries of one request so far, and the total time waited before them.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    attempts: usize,
    waited: Duration,
}

impl Backoff {
    /// Returns the wait before the next retry, or `None` if the client must give up. `jitter`, a random number from 0
    /// to 255, adds up to a quarter of the wait, so that jobs that start together do not retry together.
    pub(super) fn wait(&mut self, retry_after: Option<Duration>, jitter: u8) -> Option<Duration> {
        let minimum = WAITS.get(self.attempts)?;
        // The limit keeps a hostile `Retry-After` from overflowing the sum.
        let wait = retry_after.map_or(*minimum, |asked| asked.max(*minimum)).min(MAX_WAIT * 2);
        let wait = wait + wait.mul_f64(f64::from(jitter) / 255.0 / 4.0);
        self.attempts += 1;
        self.waited += wait;
        (self.waited <= MAX_WAIT).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gives_up_after_five_attempts() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = std::iter::from_fn(|| backoff.wait(None, 0)).collect();
        assert_eq!(waits, WAITS);
    }

    #[test]
    fn a_client_heeds_retry_after_up_to_a_limit() {
        let ten = Some(Duration::from_secs(10));
        let mut backoff = Backoff::default();
        assert_eq!(backoff.wait(ten, 0), ten);
        assert!(backoff.wait(ten, 255) > ten);
        assert_eq!(backoff.wait(Some(Duration::from_secs(3600)), 0), None);
        assert_eq!(Backoff::default().wait(Some(Duration::from_secs(u64::MAX)), 255), None);
    }
}
