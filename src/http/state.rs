//! State that handlers and accept loop share: the application, the time limits of requests, and the sockets. This file
//! must hold no logic of the API.

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;
use tokio::net::TcpListener;

use super::body_budget::{BodyBudget, MAX_BODY_BYTES};
use crate::app::App;

/// Sockets that the server accepts connections on.
#[derive(Debug)]
pub struct Listeners {
    /// Socket of the public listener, for CI jobs, CI servers and verifiers.
    pub public: TcpListener,
    /// Socket of the admin listener, for metrics and administration; `None` if the admin listener is turned off.
    pub admin: Option<TcpListener>,
}

/// Limits of the server: times for each request, and the number of connections.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Time limit within which a request's head must arrive.
    pub head_within: Duration,
    /// Time limit within which a request's body must arrive.
    pub body_within: Duration,
    /// Time limit within which a request must be answered, which includes the time for the request's body.
    pub whole_within: Duration,
    /// Time limit within which open connections must finish after a shutdown begins.
    pub drain_within: Duration,
    /// Maximum number of open connections on each listener; further connections wait in the socket's backlog.
    pub max_connections: usize,
}

impl Limits {
    /// Returns limits with the documented times and this maximum number of connections.
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

/// State of the server that every handler may read.
#[derive(Clone)]
pub(super) struct AppState {
    pub(super) app: Arc<App>,
    pub(super) limits: Limits,
    /// Memory that request bodies hold, on both listeners together.
    pub(super) bodies: Arc<BodyBudget>,
    /// Value of the header `Cache-Control` of the public documents.
    pub(super) document_caching: HeaderValue,
}

impl AppState {
    pub(super) fn new(app: Arc<App>, limits: Limits) -> Self {
        let caching = format!("public, max-age={}", app.jwks_max_age().get());
        let document_caching = HeaderValue::from_str(&caching).unwrap_or(HeaderValue::from_static("no-store"));
        let bodies = Arc::new(BodyBudget::new(app.body_memory(), MAX_BODY_BYTES));
        Self { app, limits, bodies, document_caching }
    }
}
