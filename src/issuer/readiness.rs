//! Whether the server can issue tokens, and whether its documents are safe to serve.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::issuer::Issuer;

/// Time for which the result of the database check is reused: the check writes, and anybody may request it.
const DATABASE_CHECK_REUSED: Duration = Duration::from_secs(1);

/// Body of `/health/ready`, for load balancers and operators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Readiness {
    /// `ready`, `degraded` (cannot issue tokens, documents are safe), or `unready` (documents could mislead).
    pub(crate) status: &'static str,
    /// Reasons why the status is not `ready`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) reasons: Vec<&'static str>,
    /// Conditions that an operator should look at although the server works.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<&'static str>,
}

impl Readiness {
    /// Whether the documents may be served.
    #[must_use]
    pub(crate) fn documents_are_safe(&self) -> bool {
        self.status != "unready"
    }
}

impl Issuer {
    /// Whether the documents may be served now. Does not query the database.
    #[must_use]
    pub(crate) fn documents_are_safe(&self) -> bool {
        self.misleading_reasons().is_empty()
    }

    /// Returns the whole state, with a check of the database.
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

    /// Checks the database, one check at a time and at most one a second.
    async fn database_works(&self) -> bool {
        let mut last = self.database_check.lock().await;
        let now = self.parts.clock.monotonic();
        if let Some((checked_at, works)) = *last
            && now.saturating_sub(checked_at) < DATABASE_CHECK_REUSED
        {
            return works;
        }
        // In a task of its own, so that a caller that hangs up does not cancel the check and make the next one repeat it.
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
