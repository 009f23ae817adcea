//! Determines whether the server can issue tokens, and whether the discovery document and key set may be served. A key
//! set that may lack a signing key is never served.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::issuer::Issuer;

/// Time for which the result of a database check is reused, since the check writes to the database and anybody may
/// request the check.
const DATABASE_CHECK_REUSED: Duration = Duration::from_secs(1);

/// Body of `/health/ready`, for load balancers and operators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Readiness {
    /// `ready`; `degraded` if the server cannot issue tokens but its documents are correct; `unready` if the documents
    /// may lack a key.
    pub(crate) status: &'static str,
    /// Reasons why the status is not `ready`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) reasons: Vec<&'static str>,
    /// Problems that an operator should look at although the server works.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<&'static str>,
}

impl Readiness {
    /// Returns the readiness of a server that shuts down. Its documents are safe, but balancers must send their requests
    /// elsewhere.
    pub(crate) fn leaving() -> Self {
        Self { status: "unready", reasons: vec!["shutdown"], warnings: Vec::new() }
    }

    /// Returns whether the discovery document and the key set may be served.
    #[must_use]
    pub(crate) fn documents_are_safe(&self) -> bool {
        self.status != "unready"
    }
}

impl Issuer {
    /// Returns whether the discovery document and the key set may be served now, without a query to the database.
    #[must_use]
    pub(crate) fn documents_are_safe(&self) -> bool {
        self.misleading_reasons().is_empty()
    }

    /// Returns the server's status with reasons and warnings, after a check of the database.
    pub(crate) async fn readiness(&self) -> Readiness {
        let now = self.parts.clock.now();
        let misleading = self.misleading_reasons();
        let view = self.parts.keyring.view();
        let mut reasons = misleading.clone();
        if misleading.is_empty() && view.is_announced(now) {
            reasons.push("announced");
        }
        if !self.database_works().await {
            reasons.push("database");
        }
        let status = match (misleading.is_empty(), reasons.is_empty()) {
            (true, true) => "ready",
            (true, false) => "degraded",
            (false, _) => "unready",
        };
        let warnings = if view.is_overdue(now) { vec!["rotation_overdue"] } else { Vec::new() };
        Readiness { status, reasons, warnings }
    }

    /// Returns whether the database can be read and written. Only one check runs at a time, and at most one a second.
    async fn database_works(&self) -> bool {
        let mut last = self.database_check.lock().await;
        let now = self.parts.clock.monotonic();
        if let Some((checked_at, works)) = *last
            && now.saturating_sub(checked_at) < DATABASE_CHECK_REUSED
        {
            return works;
        }
        // The check runs in a task of its own: a client that disconnects does not cancel the check, and the next
        // request need not repeat it.
        *last = Some((now, false));
        let store = Arc::clone(&self.parts.store);
        let works = tokio::spawn(async move { store.check().await.is_ok() }).await.unwrap_or(false);
        *last = Some((now, works));
        works
    }

    fn misleading_reasons(&self) -> Vec<&'static str> {
        let now = self.parts.clock.now();
        let view = self.parts.keyring.view();
        let mut reasons = Vec::new();
        let signs = view.default_signer(now).is_some() || view.is_announced(now);
        if !view.is_sound(now) || !signs {
            reasons.push("keyring");
        }
        if !self.parts.keyring.clock_is_sound(now) {
            reasons.push("clock");
        }
        if self.parts.keyring.is_stale() {
            reasons.push("stale");
        }
        reasons
    }
}
