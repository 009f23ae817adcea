//! What the handlers and the accept loop share: the application, its limits and its sockets. Holds no logic.

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;
use tokio::net::TcpListener;

use crate::app::App;

/// The sockets to serve on.
#[derive(Debug)]
pub struct Listeners {
    /// Socket for jobs, CI servers and verifiers.
    pub public: TcpListener,
    /// Socket for operators: metrics and administration. `None` if it is turned off.
    pub admin: Option<TcpListener>,
}

/// Time limits of a request, and the number of connections.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Time within which a request's head must arrive.
    pub head_within: Duration,
    /// Time within which a request's body must arrive.
    pub body_within: Duration,
    /// Time within which a request must be answered, its body included.
    pub whole_within: Duration,
    /// Time that open connections have to finish after a shutdown begins.
    pub drain_within: Duration,
    /// Maximum number of open connections on each listener; further ones wait in the socket's backlog.
    pub max_connections: usize,
}

impl Limits {
    /// Returns the documented time limits with this number of connections.
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

/// State that every handler may use.
#[derive(Clone)]
pub(super) struct AppState {
    pub(super) app: Arc<App>,
    pub(super) limits: Limits,
    /// `Cache-Control` of the public documents.
    pub(super) document_caching: HeaderValue,
}

impl AppState {
    pub(super) fn new(app: Arc<App>, limits: Limits) -> Self {
        let caching = format!("public, max-age={}", app.jwks_max_age().get());
        let document_caching = HeaderValue::from_str(&caching).unwrap_or(HeaderValue::from_static("no-store"));
        Self { app, limits, document_caching }
    }
}
