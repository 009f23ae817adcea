//! Places: each connection takes one of a listener's limited places. Decides how many places one address may have, and
//! which connection is closed to free a place for another. Never reads from a connection.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::activity::{Activity, Ending};

/// Time that a client needs to send its first request. Until then a new connection is closed neither for another
/// connection nor for a shutdown.
pub(super) const SAFE_FOR: Duration = Duration::from_secs(1);

/// Interval at which a full listener looks again for a connection that may end.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The places of one listener, one for each connection that it may have open.
#[derive(Debug)]
pub(super) struct Places {
    most: usize,
    per_address: usize,
    taken: AtomicUsize,
    table: Mutex<Table>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    /// Address of each connection, whether the address is a trusted proxy's, and what the connection is doing.
    open: HashMap<u64, (IpAddr, bool, Arc<Activity>)>,
    /// Number of connections of each address, without those of trusted proxies.
    by_address: HashMap<IpAddr, usize>,
}

/// Reason why a new connection gets no place and is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    /// More than half of all places are taken, and the address has its maximum.
    Share,
    /// All places are taken, and none could be freed in time.
    Full,
}

impl Denied {
    /// Returns the reason's name in metrics and log lines.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Share => "share",
            Self::Full => "full",
        }
    }
}

impl Places {
    /// Creates `most` places, of which one address may have `per_address` while more than half of them are taken.
    pub(super) fn new(most: usize, per_address: usize) -> Arc<Self> {
        let (taken, table) = (AtomicUsize::new(0), Mutex::default());
        Arc::new(Self { most, per_address, taken, table, freed: Notify::new() })
    }

    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Whether more than half of all places are taken.
    pub(super) fn are_scarce(&self) -> bool {
        self.taken() * 2 > self.most
    }

    /// Whether nine tenths of all places are taken.
    fn are_nearly_taken(&self) -> bool {
        self.taken() * 10 >= self.most * 9
    }

    /// Takes a place for a connection from `address`. If no place is free, closes another connection. The first choice
    /// is one without a request (of the same address if that has its maximum). The second choice is one that keeps the
    /// server waiting and whose address has more places than `address`.
    ///
    /// Waits at most `patience` for a place, since later connections wait behind this one. If no connection can be
    /// closed, waits only for a trusted proxy, an address without a place, or an address that has most of the places,
    /// such as a load balancer.
    ///
    /// # Errors
    /// [`Denied`] if no place is free in time.
    pub(super) async fn find(
        self: &Arc<Self>,
        address: IpAddr,
        is_trusted: bool,
        patience: Duration,
    ) -> Result<Place, Denied> {
        let until = Instant::now() + patience;
        loop {
            let freed = self.freed.notified();
            let denied = match self.take(address, is_trusted) {
                Ok(place) => {
                    if self.are_nearly_taken() {
                        self.evict(None);
                    }
                    return Ok(place);
                }
                Err(denied) => denied,
            };
            let may_wait = match denied {
                Denied::Share => self.evict(Some(network(address))),
                Denied::Full => self.evict(None) || self.evict_for(address) || is_trusted || self.may_wait(address),
            };
            if !may_wait || Instant::now() >= until {
                return Err(denied);
            }
            let _ = tokio::time::timeout(LOOK_AGAIN, freed).await;
        }
    }

    fn take(self: &Arc<Self>, address: IpAddr, is_trusted: bool) -> Result<Place, Denied> {
        let address = network(address);
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if table.open.len() >= self.most {
            return Err(Denied::Full);
        }
        // A trusted proxy has no limit of places, since its callers' requests are counted instead (`ForwardedShares`).
        if !is_trusted {
            let of_address = table.by_address.get(&address).copied().unwrap_or(0);
            if of_address >= self.per_address && self.are_scarce() {
                return Err(Denied::Share);
            }
            table.by_address.insert(address, of_address + 1);
        }
        let id = table.next;
        table.next += 1;
        let activity = Activity::begin();
        table.open.insert(id, (address, is_trusted, Arc::clone(&activity)));
        self.taken.store(table.open.len(), Ordering::Relaxed);
        Ok(Place { places: Arc::clone(self), id, activity })
    }

    /// Closes the connection that has been without a request for the longest time: of those of `address`, or of all if
    /// `address` is `None`. Returns whether there was one.
    pub(super) fn evict(&self, address: Option<IpAddr>) -> bool {
        let now = Instant::now();
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let longest = table
            .open
            .values()
            .filter(|(of, ..)| address.is_none_or(|address| address == *of))
            .filter_map(|(.., activity)| Some((activity.evictable_since()?, activity)))
            .filter(|(since, _)| now.saturating_duration_since(*since) >= SAFE_FOR)
            .max_by_key(|(since, _)| Reverse(*since));
        if let Some((_, activity)) = longest {
            activity.end(Ending::Evicted);
        }
        longest.is_some()
    }

    /// Closes a connection that keeps the server waiting, to make room for a new one from `address`. Chooses the
    /// address with the most places, if it has more than `address` would have. Of its connections, chooses the one that
    /// the server has waited for the longest. Returns whether there was one.
    fn evict_for(&self, address: IpAddr) -> bool {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let places = |of: &IpAddr| table.by_address.get(of).copied().unwrap_or(0);
        let own = places(&network(address)) + 1;
        let longest = table
            .open
            .values()
            .filter(|(of, is_trusted, _)| !is_trusted && places(of) > own)
            .filter_map(|(of, _, activity)| Some((places(of), Reverse(activity.peer_owes_since()?), activity)))
            .max_by_key(|(places, since, _)| (*places, *since));
        if let Some((.., activity)) = longest {
            activity.end(Ending::Evicted);
        }
        longest.is_some()
    }

    /// Whether a new connection from `address` may wait for a place: if the address has none, or more than half of all.
    fn may_wait(&self, address: IpAddr) -> bool {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.by_address.get(&network(address)).is_none_or(|places| places * 2 > self.most)
    }

    /// Asks every connection to end: at once if it has no request, otherwise after its answer.
    pub(super) fn end_all(&self) {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        for (.., activity) in table.open.values() {
            activity.end(Ending::Politely);
        }
    }

    /// Completes when no place is taken.
    pub(super) async fn emptied(&self) {
        loop {
            let freed = self.freed.notified();
            if self.taken() == 0 {
                return;
            }
            freed.await;
        }
    }

    fn give_back(&self, id: u64) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((address, false, _)) = table.open.remove(&id)
            && let Some(count) = table.by_address.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                table.by_address.remove(&address);
            }
        }
        self.taken.store(table.open.len(), Ordering::Relaxed);
        drop(table);
        self.freed.notify_waiters();
    }
}

/// The place of one connection, free again when this value is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    id: u64,
    activity: Arc<Activity>,
}

impl Place {
    pub(super) fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }

    pub(super) fn places(&self) -> &Arc<Places> {
        &self.places
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.give_back(self.id);
    }
}

/// Returns the address by which a caller is counted: an IPv4 address, or the /64 network of an IPv6 address, because
/// one host usually has a whole /64.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}
