//! State that handlers and accept loop share: the application, the time limits of requests, and the sockets. This file
//! must hold no logic of the API.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::HeaderValue;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::body_budget::{BodyBudget, MAX_BODY_BYTES};
use super::forwarded_shares::ForwardedShares;
use super::log::RequestLog;
use crate::app::App;

/// Maximum number of pipelined requests that begin before other connections get a turn.
const PIPELINED_AT_ONCE: usize = 16;

/// Sockets that the server accepts connections on.
#[derive(Debug)]
pub struct Listeners {
    /// Socket of the public listener, for CI jobs, CI servers and verifiers.
    pub public: TcpListener,
    /// Socket of the admin listener, for metrics and administration; `None` if the admin listener is turned off.
    pub admin: Option<TcpListener>,
}

/// Limits of the server: times for connections and requests, and the number of connections.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Time for which a connection without a request stays open.
    pub keep_alive: Duration,
    /// Time limit within which a request's head must arrive, from its first byte on.
    pub head_within: Duration,
    /// Time limit within which a request's body must arrive.
    pub body_within: Duration,
    /// Maximum time for which the peer may take no byte of an answer.
    pub write_within: Duration,
    /// Time limit within which a request must be answered, including the time for its body. The peer has the same time
    /// again to receive the whole answer.
    pub whole_within: Duration,
    /// Age after which a connection ends with its next answer.
    pub max_age: Duration,
    /// Number of requests after which a connection ends.
    pub max_requests: usize,
    /// Maximum number of open connections on the public listener.
    pub max_connections: usize,
    /// Maximum number of connections of one address, while more than half of `max_connections` are open.
    pub per_address: usize,
    /// Time from the begin of a shutdown, when readiness fails, until the listeners stop accepting connections.
    pub drain_delay: Duration,
    /// Time limit within which open connections must finish after the listeners have stopped.
    pub drain_within: Duration,
}

impl Limits {
    /// Returns the documented default time limits, with this maximum number of connections.
    #[must_use]
    pub const fn of(max_connections: usize) -> Self {
        Self {
            keep_alive: Duration::from_secs(75),
            head_within: Duration::from_secs(10),
            body_within: Duration::from_secs(10),
            write_within: Duration::from_secs(10),
            whole_within: Duration::from_secs(30),
            max_age: Duration::from_secs(60 * 60),
            max_requests: 100_000,
            max_connections,
            per_address: max_connections.div_ceil(4),
            drain_delay: Duration::ZERO,
            drain_within: Duration::from_secs(15),
        }
    }
}

/// State of the server that every handler may read.
#[derive(Clone)]
pub(super) struct AppState {
    pub(super) app: Arc<App>,
    pub(super) limits: Limits,
    /// Memory that request bodies hold, on both listeners together.
    pub(super) bodies: Arc<BodyBudget>,
    /// Counts the requests that trusted proxies forward, by the caller's address.
    pub(super) forwarded: Arc<ForwardedShares>,
    /// Limits how many pipelined requests begin at a time. A pipelined request arrived together with an earlier one.
    pub(super) pipelined: Arc<Semaphore>,
    /// Log of the requests of both listeners.
    pub(super) log: Arc<RequestLog>,
    /// Whether the server shuts down.
    leaving: Arc<AtomicBool>,
    /// Value of the header `Cache-Control` of the public documents.
    pub(super) document_caching: HeaderValue,
}

impl AppState {
    pub(super) fn new(app: Arc<App>, limits: Limits) -> Self {
        let caching = format!("public, max-age={}", app.jwks_max_age().get());
        let document_caching = HeaderValue::from_str(&caching).unwrap_or(HeaderValue::from_static("no-store"));
        let bodies = Arc::new(BodyBudget::new(app.body_memory(), MAX_BODY_BYTES));
        let forwarded = ForwardedShares::new(limits.max_connections, limits.per_address);
        let pipelined = Arc::new(Semaphore::new(PIPELINED_AT_ONCE));
        Self {
            app,
            limits,
            bodies,
            forwarded,
            pipelined,
            log: Arc::default(),
            leaving: Arc::default(),
            document_caching,
        }
    }

    /// Whether the server shuts down: readiness fails, and each answer ends its connection.
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }

    pub(super) fn leave(&self) {
        self.leaving.store(true, Ordering::Release);
    }
}
