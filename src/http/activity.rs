//! What one connection is doing, as its socket, its requests and the listener see it. Holds no socket and no bytes.
//!
//! Times are those of the runtime's timers, because they only bound waits: no answer and no row depends on them.

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
    /// No request: nothing of a head has arrived, and every answer was taken.
    Idle,
    /// A head has begun.
    Head,
    /// A request is in flight: its body arrives, it is handled, or its answer is being written.
    Request,
    /// The whole answer is with the connection, and the peer has yet to take it.
    Answered,
}

/// How a connection was asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
#[repr(u8)]
pub(super) enum Ending {
    /// Not at all.
    None,
    /// After the request that has begun, with `Connection: close`; at once if none has begun.
    Politely,
    /// For another connection: also in the middle of a head or a body, or of an answer that the peer does not take.
    Evicted,
}

/// What one connection is doing.
#[derive(Debug)]
pub(super) struct Activity {
    opened: Instant,
    phase: AtomicU8,
    /// Whether the peer does not take what was written.
    stalled: AtomicBool,
    /// Whether a handler waits for more of the request's body.
    awaits_body: AtomicBool,
    /// Milliseconds from `opened` to the end of the last request, or to the beginning of the stall.
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

    /// Whether the request that is about to begin arrived with an earlier one.
    pub(super) fn is_pipelined(&self) -> bool {
        self.phase() != Phase::Head
    }

    /// The request is in flight until the returned value is dropped.
    pub(super) fn request_began(self: &Arc<Self>) -> RequestInFlight {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.enter(Phase::Request);
        RequestInFlight(Arc::clone(self))
    }

    /// The peer has taken everything that was written.
    pub(super) fn flushed(&self) {
        self.stalled.store(false, Ordering::Release);
        if self.phase() == Phase::Answered {
            self.quiet_from_now();
            self.enter(Phase::Idle);
        }
    }

    /// The peer takes nothing of what was written, from now on.
    pub(super) fn stalled(&self) {
        self.quiet_from_now();
        self.stalled.store(true, Ordering::Release);
    }

    /// The peer took something of what was written.
    pub(super) fn moved(&self) {
        self.stalled.store(false, Ordering::Release);
    }

    /// Notes whether a handler waits for more of the request's body.
    pub(super) fn await_body(&self, awaits: bool) {
        self.awaits_body.store(awaits, Ordering::Release);
    }

    /// Whether the request in flight waits for more of its body.
    pub(super) fn awaits_body(&self) -> bool {
        self.phase() == Phase::Request && self.awaits_body.load(Ordering::Acquire)
    }

    fn quiet_from_now(&self) {
        let millis = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.quiet_since.store(millis, Ordering::Release);
    }

    /// Returns when the last request ended, or when the connection was opened.
    pub(super) fn quiet_since(&self) -> Instant {
        self.opened + Duration::from_millis(self.quiet_since.load(Ordering::Acquire))
    }

    /// Returns since when the connection may be ended for another one; `None` while it serves a request.
    pub(super) fn evictable_since(&self) -> Option<Instant> {
        let is_quiet = matches!(self.phase(), Phase::Idle | Phase::Head) || self.stalled.load(Ordering::Acquire);
        (is_quiet && self.ending() != Ending::Evicted).then(|| self.quiet_since())
    }

    /// Returns since when the peer has owed something, without which the connection gets nowhere: a request, the rest of
    /// its head or body, or taking an answer. A body counts from the end of the request before. `None` while it is the
    /// server's turn.
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
