//! Counts the requests in flight that trusted proxies forward, by the caller's address. A proxy's connections serve
//! many callers, so that their requests are counted instead of connections. Decides no answer.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::places::network;

/// Counts the requests in flight that trusted proxies forward, by the caller's address.
#[derive(Debug)]
pub(super) struct ForwardedShares {
    /// Number of forwarded requests. While more than this are in flight, one address may have `per_address` of them.
    bound_above: usize,
    per_address: usize,
    in_flight: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

impl ForwardedShares {
    /// Creates the counts for a server with at most `places` connections. While more than half that many forwarded
    /// requests are in flight, one address may have `per_address` of them.
    pub(super) fn new(places: usize, per_address: usize) -> Arc<Self> {
        Arc::new(Self { bound_above: places / 2, per_address, in_flight: Mutex::default() })
    }

    /// Counts a request until the returned value is dropped. `None` if the address has as many requests as it may have.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Forwarded> {
        let address = network(address);
        let mut counts = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        let is_bound = counts.all > self.bound_above;
        let of_address = counts.by_address.entry(address).or_default();
        if is_bound && *of_address >= self.per_address {
            return None;
        }
        *of_address += 1;
        counts.all += 1;
        Some(Forwarded { shares: Arc::clone(self), address })
    }
}

/// A forwarded request that counts as in flight until this value is dropped.
#[derive(Debug)]
pub(super) struct Forwarded {
    shares: Arc<ForwardedShares>,
    address: IpAddr,
}

impl Drop for Forwarded {
    fn drop(&mut self) {
        let mut counts = self.shares.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all -= 1;
        if let Some(count) = counts.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_share_only_while_more_than_half_of_all_requests_are_in_flight() {
        let shares = ForwardedShares::new(8, 2);
        let of = |last: u8| IpAddr::from([192, 0, 2, last]);
        let mut held: Vec<_> = (0..5).map(|_| shares.enter(of(1)).unwrap()).collect();
        assert!(shares.enter(of(1)).is_none(), "five of eight are in flight");
        held.extend([shares.enter(of(2)).unwrap(), shares.enter(of(2)).unwrap()]);
        assert!(shares.enter(of(2)).is_none());
        held.truncate(4);
        assert!(shares.enter(of(1)).is_some(), "half is not more than half");
        drop(held);
        let counts = shares.in_flight.lock().unwrap();
        assert!(counts.all == 0 && counts.by_address.is_empty(), "{counts:?}");
    }
}
