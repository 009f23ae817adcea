//! Records what one connection is doing, for its socket, its requests and the listener. Holds no socket and no bytes.
//!
//! Times come from the runtime's timer instead of the injected clock, because they only limit waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::task::Waker;
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::time::Instant;

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// No request has begun, and the peer has received every answer.
    Idle,
    /// Bytes of a request's head have arrived.
    Head,
    /// A request is in flight: its body arrives, it is handled, or its answer is being written.
    Request,
    /// The answer is complete, but the peer has not received all of it.
    Answered,
}

/// How a connection was asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
#[repr(u8)]
pub(super) enum Ending {
    /// The connection was not asked to end.
    None,
    /// The connection ends after the answer to its current request, which says `Connection: close`. An idle connection
    /// ends at once, but a new one first has [`SAFE_FOR`](super::places::SAFE_FOR) to send a request.
    Politely,
    /// The connection ends now, to make room for another one, even if a request is half sent or the peer does not
    /// receive an answer.
    Evicted,
}

/// What one connection is doing, shared by its socket, its requests and the listener.
#[derive(Debug)]
pub(super) struct Activity {
    opened: Instant,
    phase: AtomicU8,
    /// Whether the peer has stopped receiving what the server writes.
    stalled: AtomicBool,
    /// Whether a handler waits for more of the request's body.
    awaits_body: AtomicBool,
    /// Milliseconds from `opened` to the end of the last request, or to the moment at which the peer stopped receiving.
    quiet_since: AtomicU64,
    requests: AtomicUsize,
    ending: AtomicU8,
    waker: AtomicWaker,
}

impl Activity {
    pub(super) fn begin() -> Arc<Self> {
        Arc::new(Self {
            opened: Instant::now(),
            phase: AtomicU8::new(Phase::Idle as u8),
            stalled: AtomicBool::new(false),
            awaits_body: AtomicBool::new(false),
            quiet_since: AtomicU64::new(0),
            requests: AtomicUsize::new(0),
            ending: AtomicU8::new(Ending::None as u8),
            waker: AtomicWaker::new(),
        })
    }

    pub(super) fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// Number of requests that have begun.
    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Idle,
            1 => Phase::Head,
            2 => Phase::Request,
            _ => Phase::Answered,
        }
    }

    fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
    }

    pub(super) fn head_began(&self) {
        self.enter(Phase::Head);
    }

    /// Whether the next request arrived together with the request before it (HTTP pipelining).
    pub(super) fn is_pipelined(&self) -> bool {
        self.phase() != Phase::Head
    }

    /// Records that a request has begun. The request is in flight until the returned value is dropped.
    pub(super) fn request_began(self: &Arc<Self>) -> RequestInFlight {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.enter(Phase::Request);
        RequestInFlight(Arc::clone(self))
    }

    /// Records that the peer has received everything that was written.
    pub(super) fn flushed(&self) {
        self.stalled.store(false, Ordering::Release);
        if self.phase() == Phase::Answered {
            self.quiet_from_now();
            self.enter(Phase::Idle);
        }
    }

    /// Records that the peer has stopped receiving.
    pub(super) fn stalled(&self) {
        self.quiet_from_now();
        self.stalled.store(true, Ordering::Release);
    }

    /// Records that the peer has received something again.
    pub(super) fn moved(&self) {
        self.stalled.store(false, Ordering::Release);
    }

    /// Records whether a handler waits for more of the request's body.
    pub(super) fn await_body(&self, awaits: bool) {
        self.awaits_body.store(awaits, Ordering::Release);
    }

    /// Whether the handler of the request in flight waits for more of its body.
    pub(super) fn awaits_body(&self) -> bool {
        self.phase() == Phase::Request && self.awaits_body.load(Ordering::Acquire)
    }

    fn quiet_from_now(&self) {
        let millis = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.quiet_since.store(millis, Ordering::Release);
    }

    /// Returns the time at which the last request ended or the peer stopped receiving. Before both: the time of
    /// opening.
    pub(super) fn quiet_since(&self) -> Instant {
        self.opened + Duration::from_millis(self.quiet_since.load(Ordering::Acquire))
    }

    /// Returns since when the connection has been without a whole request, or its peer has received nothing. Such a
    /// connection may be closed to make room for another. Returns `None` while the connection serves a request.
    pub(super) fn evictable_since(&self) -> Option<Instant> {
        let is_quiet = matches!(self.phase(), Phase::Idle | Phase::Head) || self.stalled.load(Ordering::Acquire);
        (is_quiet && self.ending() != Ending::Evicted).then(|| self.quiet_since())
    }

    /// Returns since when the server has waited for the peer to send a request or its body, or to receive an answer. A
    /// wait for a body is counted from the end of the previous request. Returns `None` while the peer waits for the
    /// server.
    pub(super) fn peer_owes_since(&self) -> Option<Instant> {
        let awaits_body = self.awaits_body() && self.ending() != Ending::Evicted;
        self.evictable_since().or_else(|| awaits_body.then(|| self.quiet_since()))
    }

    pub(super) fn ending(&self) -> Ending {
        match self.ending.load(Ordering::Acquire) {
            0 => Ending::None,
            1 => Ending::Politely,
            _ => Ending::Evicted,
        }
    }

    /// Asks the connection's task to end the connection.
    pub(super) fn end(&self, ending: Ending) {
        self.ending.fetch_max(ending as u8, Ordering::AcqRel);
        self.waker.wake();
    }

    /// Registers the connection's task, which [`Self::end`] wakes.
    pub(super) fn watched_by(&self, waker: &Waker) {
        self.waker.register(waker);
    }
}

/// A request in flight. Dropped with the last byte of the answer's body.
#[derive(Debug)]
pub(super) struct RequestInFlight(Arc<Activity>);

impl Drop for RequestInFlight {
    fn drop(&mut self) {
        self.0.enter(Phase::Answered);
    }
}
