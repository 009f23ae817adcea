//! Memory that request bodies may hold: one budget for all bodies, a part of it for senders whose credential is not
//! known yet, and a share of this part for each network. Where there is no room, a body that has kept the server waiting
//! ends for a new one. A body must never hold memory that is not counted here.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::places::network;

/// Maximum size of a body, in bytes.
pub(super) const MAX_BODY_BYTES: usize = 64 * 1024;

/// Divisor of the whole budget. The quotient is the part that all senders without a verified credential share.
const STRANGERS_PART: usize = 4;

/// Divisor of the part that senders without a verified credential share. The quotient is the limit of one network,
/// which applies while these senders hold more than half of their part.
const NETWORK_PART: usize = 8;

/// Time for which a body may arrive undisturbed. After that, the server may end the body to use its memory for another
/// one.
const SAFE_FOR: Duration = Duration::from_secs(1);

/// Maximum time to wait for the memory of a body that the server ends.
const FREED_WITHIN: Duration = Duration::from_millis(500);

/// Who sends a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    /// A caller whose credential has been verified.
    Known,
    /// A caller at this address, whose credential is not verified yet: it is in the body, or is verified with the body.
    Stranger(IpAddr),
}

/// Error of a body for which the budget has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRoom {
    /// The sender's network already holds as much as one network may hold.
    Share,
    /// The whole budget is in use, or the part for senders without a verified credential.
    Full,
}

/// Bytes that bodies hold at the moment, and the limits of these bytes.
#[derive(Debug)]
pub(super) struct BodyBudget {
    all: usize,
    strangers: usize,
    network: usize,
    held: Mutex<Held>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    strangers: usize,
    /// Bytes that each network holds. A network that holds nothing has no entry.
    networks: HashMap<IpAddr, usize>,
    /// Bodies that have not arrived whole, by the id of their reservation.
    arriving: HashMap<u64, Arriving>,
    next: u64,
}

/// A body that holds memory and has not arrived whole.
#[derive(Debug)]
struct Arriving {
    sender: Sender,
    since: Instant,
    end: Arc<Notify>,
    /// Whether the server ends the body; its memory is given back soon.
    is_ending: bool,
    bytes: usize,
}

/// Part of the budget that one body has taken. Dropping the reservation gives the bytes back.
#[derive(Debug)]
pub(super) struct Reservation {
    budget: Arc<BodyBudget>,
    sender: Sender,
    bytes: usize,
    since: Instant,
    /// Key of the body in `Held::arriving`; `None` before its first byte.
    id: Option<u64>,
    end: Arc<Notify>,
}

impl BodyBudget {
    /// Creates a budget of `all` bytes. Every part has room for at least one body of `largest` bytes.
    pub(super) fn new(all: usize, largest: usize) -> Self {
        let all = all.max(largest);
        let strangers = (all / STRANGERS_PART).max(largest);
        let network = (strangers / NETWORK_PART).max(largest);
        Self { all, strangers, network, held: Mutex::default(), freed: Notify::new() }
    }

    /// Returns a reservation that holds nothing yet, for a body that begins to arrive now.
    pub(super) fn reserve(self: &Arc<Self>, sender: Sender) -> Reservation {
        let sender = match sender {
            Sender::Known => Sender::Known,
            Sender::Stranger(address) => Sender::Stranger(network(address)),
        };
        Reservation { budget: Arc::clone(self), sender, bytes: 0, since: Instant::now(), id: None, end: Arc::default() }
    }

    /// Returns the bytes that all bodies hold, and how many of them belong to senders without a verified credential.
    pub(super) fn held(&self) -> (usize, usize) {
        let held = self.lock();
        (held.all, held.strangers)
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, reservation: &mut Reservation, bytes: usize) -> Result<(), NoRoom> {
        let mut held = self.lock();
        let mut own = 0;
        if let Sender::Stranger(network) = reservation.sender {
            own = held.of_network(network) + bytes;
            if held.strangers + bytes > self.strangers / 2 && own > self.network {
                return Err(NoRoom::Share);
            }
            if held.strangers + bytes > self.strangers {
                return Err(NoRoom::Full);
            }
        }
        if held.all + bytes > self.all {
            return Err(NoRoom::Full);
        }
        if let Sender::Stranger(network) = reservation.sender {
            held.strangers += bytes;
            held.networks.insert(network, own);
        }
        held.all += bytes;
        reservation.bytes += bytes;
        held.note_arriving(reservation);
        Ok(())
    }

    /// Ends another body that has been arriving for at least [`SAFE_FOR`], unless the bodies that end already will give
    /// back `bytes`: of the network that holds the most, the one that has been arriving for the longest time. A stranger
    /// never ends the body of a known caller. If `denied` is [`NoRoom::Share`], a stranger ends only bodies of its own
    /// network. Returns whether memory will be given back.
    fn end_one_for(&self, reservation: &Reservation, bytes: usize, denied: NoRoom) -> bool {
        let now = Instant::now();
        let mut held = self.lock();
        let may_end = |body: &Arriving| match (reservation.sender, body.sender) {
            (Sender::Known, _) => true,
            (Sender::Stranger(_), Sender::Known) => false,
            (Sender::Stranger(own), Sender::Stranger(other)) => denied == NoRoom::Full || own == other,
        };
        let others = held.arriving.iter().filter(|(id, body)| Some(**id) != reservation.id && may_end(body));
        let ending: usize = others.clone().filter(|(_, body)| body.is_ending).map(|(_, body)| body.bytes).sum();
        if ending >= bytes {
            return true;
        }
        let late = others.filter(|(_, body)| !body.is_ending && now.duration_since(body.since) >= SAFE_FOR);
        let chosen = late.max_by_key(|(_, body)| (held.of_sender(body.sender), Reverse(body.since))).map(|(id, _)| *id);
        let Some(body) = chosen.and_then(|id| held.arriving.get_mut(&id)) else { return ending > 0 };
        body.is_ending = true;
        body.end.notify_one();
        true
    }

    fn give_back(&self, reservation: &Reservation) {
        let mut held = self.lock();
        reservation.id.and_then(|id| held.arriving.remove(&id));
        held.all = held.all.saturating_sub(reservation.bytes);
        if let Sender::Stranger(network) = reservation.sender {
            held.strangers = held.strangers.saturating_sub(reservation.bytes);
            let own = held.of_network(network).saturating_sub(reservation.bytes);
            if own == 0 {
                held.networks.remove(&network);
            } else {
                held.networks.insert(network, own);
            }
        }
        drop(held);
        self.freed.notify_waiters();
    }
}

impl Held {
    /// Records how much memory a body holds that has not arrived whole.
    fn note_arriving(&mut self, body: &mut Reservation) {
        let id = *body.id.get_or_insert_with(|| {
            self.next += 1;
            self.next
        });
        let (sender, since, bytes) = (body.sender, body.since, body.bytes);
        let new = || Arriving { sender, since, end: Arc::clone(&body.end), is_ending: false, bytes };
        let arriving = self.arriving.entry(id).or_insert_with(new);
        (arriving.bytes, arriving.since) = (bytes, since);
    }

    /// Returns the bytes that the network of a stranger holds; 0 for a known caller.
    fn of_sender(&self, sender: Sender) -> usize {
        match sender {
            Sender::Known => 0,
            Sender::Stranger(network) => self.of_network(network),
        }
    }

    fn of_network(&self, network: IpAddr) -> usize {
        self.networks.get(&network).copied().unwrap_or(0)
    }
}

impl Reservation {
    /// Takes bytes from the budget until the reservation holds `bytes` in all. If there is no room, ends another body
    /// that keeps the server waiting, and waits up to [`FREED_WITHIN`] for that body's memory.
    ///
    /// # Errors
    /// [`NoRoom`]; the reservation then holds as much as before.
    pub(super) async fn grow_to(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let more = bytes.saturating_sub(self.bytes);
        if more == 0 {
            return Ok(());
        }
        let budget = Arc::clone(&self.budget);
        let (began, since) = (Instant::now(), self.since);
        loop {
            let mut freed = std::pin::pin!(budget.freed.notified());
            freed.as_mut().enable();
            // The server's own wait does not make the body late.
            self.since = since + began.elapsed();
            let Err(denied) = budget.take(self, more) else { return Ok(()) };
            let is_freed = budget.end_one_for(self, more, denied)
                && tokio::time::timeout_at(began + FREED_WITHIN, freed).await.is_ok();
            if !is_freed {
                return Err(denied);
            }
        }
    }

    /// Returns the signal that fires when the server ends this body to use its memory for another one.
    pub(super) fn end(&self) -> Arc<Notify> {
        Arc::clone(&self.end)
    }

    /// Records that the body has arrived whole. From now on the server does not end it for another one.
    pub(super) fn arrived(&self) {
        if let Some(id) = self.id {
            self.budget.lock().arriving.remove(&id);
            // Whoever waits for this body's memory has to look for another one.
            self.budget.freed.notify_waiters();
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.give_back(self);
        }
    }
}

#[cfg(test)]
#[path = "body_budget_tests.rs"]
mod tests;
