//! Decides which refusals are log lines: the first few of each address in a minute. The others are counted, and one
//! summary for each address tells how many there were. Nothing here grows with the number of callers.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use super::places::network;

/// Maximum number of log lines about one address in one window: this many for refusals, and this many for failures.
pub(super) const LINES: u64 = 20;

/// Length of a window, after which the counts begin anew.
pub(super) const WINDOW: Duration = Duration::from_secs(60);

/// Maximum number of addresses that are counted separately. All others are counted together.
const ADDRESSES: usize = 1_024;

/// Kind of an answer that is not a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The request was refused, since its credential is not valid.
    FailedLogin,
    /// The request was refused for another reason.
    Refused,
    /// The server failed.
    Failed,
}

/// Requests of one address that were refused or failed in one window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Refused requests, failed logins included.
    pub(super) refused: u64,
    pub(super) failed_logins: u64,
    pub(super) failed: u64,
    /// Number of these requests that have a log line.
    pub(super) logged: u64,
}

/// An address, and the counts of its refused and failed requests, of which only some have a log line. Without an
/// address: the counts of all addresses that are not counted separately.
pub(super) type Summary = (Option<IpAddr>, Counts);

/// The refusals of the current window, by address: an IPv4 address or the /64 of an IPv6 address.
#[derive(Debug, Default)]
pub(super) struct RefusalSamples {
    ends: Duration,
    by_address: HashMap<IpAddr, Counts>,
    others: Counts,
}

impl RefusalSamples {
    /// Counts a refused or failed request, and returns whether the request gets a log line. Call [`Self::roll`] first.
    pub(super) fn count(&mut self, address: IpAddr, outcome: Outcome) -> bool {
        let address = network(address);
        let has_place = self.by_address.len() < ADDRESSES || self.by_address.contains_key(&address);
        let counts = if has_place { self.by_address.entry(address).or_default() } else { &mut self.others };
        counts.failed_logins += u64::from(outcome == Outcome::FailedLogin);
        let of_kind = if outcome == Outcome::Failed { &mut counts.failed } else { &mut counts.refused };
        *of_kind += 1;
        let is_logged = *of_kind <= LINES;
        counts.logged += u64::from(is_logged);
        is_logged
    }

    /// Begins a new window if the current window has ended, and returns the summaries of the ended window.
    pub(super) fn roll(&mut self, now: Duration) -> Vec<Summary> {
        if now < self.ends {
            return Vec::new();
        }
        self.ends = now.saturating_add(WINDOW);
        self.end()
    }

    /// Ends the current window and returns its summaries.
    pub(super) fn end(&mut self) -> Vec<Summary> {
        let ended = std::mem::take(&mut self.by_address).into_iter().map(|(address, counts)| (Some(address), counts));
        let others = (None, std::mem::take(&mut self.others));
        ended.chain([others]).filter(|(_, counts)| counts.refused + counts.failed > counts.logged).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn logged(samples: &mut RefusalSamples, text: &str, outcome: Outcome, times: u64) -> u64 {
        (0..times).map(|_| u64::from(samples.count(address(text), outcome))).sum()
    }

    #[test]
    fn the_first_refusals_of_an_address_are_lines_and_the_rest_is_one_summary() {
        let mut samples = RefusalSamples::default();
        assert_eq!(samples.roll(Duration::from_secs(1)), []);
        assert_eq!(logged(&mut samples, "203.0.113.7", Outcome::FailedLogin, 300), LINES);
        assert_eq!(
            logged(&mut samples, "203.0.113.7", Outcome::Failed, 300),
            LINES,
            "failures have lines of their own"
        );
        assert_eq!(logged(&mut samples, "203.0.113.8", Outcome::Refused, LINES), LINES, "so has another address");
        assert_eq!(samples.roll(Duration::from_secs(60)), [], "the window lasts a minute");
        let counts = Counts { refused: 300, failed_logins: 300, failed: 300, logged: 2 * LINES };
        assert_eq!(samples.roll(Duration::from_secs(61)), [(Some(address("203.0.113.7")), counts)]);
        assert_eq!(logged(&mut samples, "203.0.113.7", Outcome::Refused, 1), 1, "a new window begins");
    }

    #[test]
    fn a_host_with_a_whole_ipv6_network_is_one_address() {
        let mut samples = RefusalSamples::default();
        let lines: u64 = (0..100).map(|n| logged(&mut samples, &format!("2001:db8::{n}"), Outcome::Refused, 1)).sum();
        assert_eq!(lines, LINES);
        assert_eq!(logged(&mut samples, "2001:db8:0:1::1", Outcome::Refused, 1), 1);
    }

    #[test]
    fn the_table_of_addresses_is_bounded() {
        let mut samples = RefusalSamples::default();
        let address = |n: usize| IpAddr::from(u32::try_from(n).unwrap().to_be_bytes());
        let lines: usize = (0..5 * ADDRESSES).map(|n| usize::from(samples.count(address(n), Outcome::Refused))).sum();
        assert_eq!(lines, ADDRESSES + 20);
        assert_eq!(samples.by_address.len(), ADDRESSES);
        let refused = u64::try_from(4 * ADDRESSES).unwrap();
        let others = Counts { refused, logged: LINES, ..Counts::default() };
        assert_eq!(samples.end(), [(None, others)]);
        assert_eq!(samples.by_address.capacity(), 0, "the memory is given back");
    }
}
