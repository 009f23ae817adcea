//! Memory that request bodies may hold: one budget for all bodies, a part of it for senders whose credential is not
//! known yet, and a share of this part for each network. A body must never hold memory that is not counted here.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Maximum size of a body, in bytes.
pub(super) const MAX_BODY_BYTES: usize = 64 * 1024;

/// Senders without a verified credential share the whole budget divided by this number.
const STRANGERS_PART: usize = 4;

/// While senders without a verified credential hold more than half of their part, one network may hold their part
/// divided by this number.
const NETWORK_PART: usize = 8;

/// Who sends a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    /// A caller whose credential has been verified.
    Known,
    /// A caller at this address, whose credential is in the body or is verified together with the body.
    Stranger(IpAddr),
}

/// Error of a body for which the budget has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoRoom;

/// Bytes that bodies hold at the moment, and the limits of these bytes.
#[derive(Debug)]
pub(super) struct BodyBudget {
    all: usize,
    strangers: usize,
    network: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    strangers: usize,
    /// Bytes of each network, without networks that hold nothing.
    networks: HashMap<IpAddr, usize>,
}

/// Part of the budget that one body has taken. Dropping the reservation gives the bytes back.
#[derive(Debug)]
pub(super) struct Reservation {
    budget: Arc<BodyBudget>,
    sender: Sender,
    bytes: usize,
}

impl BodyBudget {
    /// Creates a budget of `all` bytes. Every part has room for at least one body of `largest` bytes.
    pub(super) fn new(all: usize, largest: usize) -> Self {
        let all = all.max(largest);
        let strangers = (all / STRANGERS_PART).max(largest);
        let network = (strangers / NETWORK_PART).max(largest);
        Self { all, strangers, network, held: Mutex::default() }
    }

    /// Returns a reservation that holds nothing yet.
    pub(super) fn reserve(self: &Arc<Self>, sender: Sender) -> Reservation {
        let sender = match sender {
            Sender::Known => Sender::Known,
            Sender::Stranger(address) => Sender::Stranger(network_of(address)),
        };
        Reservation { budget: Arc::clone(self), sender, bytes: 0 }
    }

    /// Returns the bytes that all bodies hold, and how many of them belong to senders without a verified credential.
    pub(super) fn held(&self) -> (usize, usize) {
        let held = self.lock();
        (held.all, held.strangers)
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, sender: Sender, bytes: usize) -> Result<(), NoRoom> {
        let mut held = self.lock();
        if held.all + bytes > self.all {
            return Err(NoRoom);
        }
        if let Sender::Stranger(network) = sender {
            let strangers = held.strangers + bytes;
            let own = held.networks.get(&network).copied().unwrap_or(0) + bytes;
            if strangers > self.strangers || (strangers > self.strangers / 2 && own > self.network) {
                return Err(NoRoom);
            }
            held.strangers = strangers;
            held.networks.insert(network, own);
        }
        held.all += bytes;
        Ok(())
    }

    fn give_back(&self, sender: Sender, bytes: usize) {
        let mut held = self.lock();
        held.all = held.all.saturating_sub(bytes);
        if let Sender::Stranger(network) = sender {
            held.strangers = held.strangers.saturating_sub(bytes);
            let own = held.networks.get(&network).copied().unwrap_or(0).saturating_sub(bytes);
            if own == 0 {
                held.networks.remove(&network);
            } else {
                held.networks.insert(network, own);
            }
        }
    }
}

impl Reservation {
    /// Takes bytes from the budget until the reservation has `bytes` in all.
    ///
    /// # Errors
    /// [`NoRoom`]; the reservation then has what it had before.
    pub(super) fn grow_to(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let more = bytes.saturating_sub(self.bytes);
        if more > 0 {
            self.budget.take(self.sender, more)?;
            self.bytes += more;
        }
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.give_back(self.sender, self.bytes);
        }
    }
}

/// Returns the address that stands for the caller's network: one household or machine has a whole /64 of IPv6
/// addresses.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGEST: usize = 100;

    fn budget(all: usize) -> Arc<BodyBudget> {
        Arc::new(BodyBudget::new(all, LARGEST))
    }

    fn stranger(text: &str) -> Sender {
        Sender::Stranger(text.parse().unwrap())
    }

    fn holding(budget: &Arc<BodyBudget>, sender: Sender, bytes: usize) -> Result<Reservation, NoRoom> {
        let mut reservation = budget.reserve(sender);
        reservation.grow_to(bytes).map(|()| reservation)
    }

    #[test]
    fn what_a_body_holds_is_counted_until_it_is_dropped() {
        let budget = budget(10_000);
        let mut known = holding(&budget, Sender::Known, 60).unwrap();
        let other = holding(&budget, stranger("192.0.2.1"), 40).unwrap();
        assert_eq!(budget.held(), (100, 40));
        known.grow_to(90).unwrap();
        known.grow_to(10).unwrap();
        assert_eq!(budget.held(), (130, 40), "a reservation grows and never shrinks");
        drop((known, other));
        assert_eq!(budget.held(), (0, 0));
        assert!(budget.lock().networks.is_empty(), "no address is remembered");
    }

    #[test]
    fn strangers_cannot_take_what_known_callers_need() {
        let budget = budget(10_000);
        let mut all = Vec::new();
        for number in 0..250 {
            all.extend(holding(&budget, stranger(&format!("192.0.2.{number}")), 100));
        }
        assert_eq!(budget.held(), (2_500, 2_500), "a quarter");
        assert_eq!(holding(&budget, stranger("198.51.100.1"), 1).err(), Some(NoRoom));
        let known: Vec<_> = (0..75).map(|_| holding(&budget, Sender::Known, 100).unwrap()).collect();
        assert_eq!(holding(&budget, Sender::Known, 1).err(), Some(NoRoom), "the whole is bounded too");
        drop(known);
        assert!(holding(&budget, Sender::Known, 100).is_ok());
    }

    #[test]
    fn one_address_leaves_half_of_the_strangers_part_to_others() {
        let budget = budget(10_000);
        let greedy: Vec<_> = (0..100).map_while(|_| holding(&budget, stranger("192.0.2.1"), 50).ok()).collect();
        assert_eq!(budget.held().1, 1_250, "one address alone may hold half");
        let others: Vec<_> =
            (1..=4).map(|number| holding(&budget, stranger(&format!("198.51.100.{number}")), 300).unwrap()).collect();
        assert_eq!(
            holding(&budget, stranger("198.51.100.1"), 13).err(),
            Some(NoRoom),
            "an eighth for each from then on"
        );
        drop((greedy, others));
        assert_eq!(budget.held(), (0, 0));
    }

    #[test]
    fn a_refused_growth_changes_nothing() {
        let budget = budget(400);
        let mut body = holding(&budget, stranger("192.0.2.1"), 80).unwrap();
        assert_eq!(body.grow_to(101), Err(NoRoom));
        assert_eq!(budget.held(), (80, 80));
        body.grow_to(100).unwrap();
        assert_eq!(budget.held(), (100, 100));
    }

    #[test]
    fn the_smallest_budget_still_has_room_for_one_body() {
        let budget = budget(0);
        assert!(holding(&budget, Sender::Known, LARGEST).is_ok());
        assert!(holding(&budget, stranger("192.0.2.1"), LARGEST).is_ok());
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_one_sender() {
        let of = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
