//! What the handlers and the accept loop share: the application, its limits and its sockets. Holds no logic.

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;
use tokio::net::TcpListener;

use crate::app::App;

/// The sockets to serve on.
#[derive(Debug)]
pub struct Listeners {
    /// For jobs, CI servers and verifiers.
    pub public: TcpListener,
    /// For operators.
    pub admin: Option<TcpListener>,
}

/// How long, and how much at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For a request's head.
    pub head_within: Duration,
    /// For a request's body.
    pub body_within: Duration,
    /// For a request in all.
    pub whole_within: Duration,
    /// For what was accepted, once the end was asked for.
    pub drain_within: Duration,
    /// At most so many connections on each listener.
    pub max_connections: usize,
}

impl Limits {
    /// The contract's times, and this many connections.
    #[must_use]
    pub const fn of(max_connections: usize) -> Self {
        Self {
            head_within: Duration::from_secs(10),
            body_within: Duration::from_secs(10),
            whole_within: Duration::from_secs(30),
            drain_within: Duration::from_secs(15),
            max_connections,
        }
    }
}

/// What every handler may use.
#[derive(Clone)]
pub(super) struct AppState {
    pub(super) app: Arc<App>,
    pub(super) limits: Limits,
    pub(super) max_age: HeaderValue,
}
