//! Can we issue, and may our documents be believed? Answers readiness and the documents alike.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::issuer::Issuer;

/// How long an answer of the database counts: asking it writes, and strangers may ask as often as they like.
const DATABASE_ANSWER_COUNTS: Duration = Duration::from_secs(1);

/// What a load balancer and an operator are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// `ready`, `degraded` (no issuing, documents are safe), or `unready` (documents could mislead).
    pub status: &'static str,
    /// Why it is not `ready`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<&'static str>,
    /// What an operator should look at, though everything works.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<&'static str>,
}

impl Readiness {
    /// May the documents be served?
    #[must_use]
    pub fn documents_are_safe(&self) -> bool {
        self.status != "unready"
    }
}

impl Issuer {
    /// Whether the documents may be served now; asks no database.
    #[must_use]
    pub fn documents_are_safe(&self) -> bool {
        self.misleading().is_empty()
    }

    /// The whole state, the database asked.
    pub async fn readiness(&self) -> Readiness {
        let now = self.parts.clock.now();
        let misleading = self.misleading();
        let view = self.parts.keyring.view();
        let mut reasons = misleading.clone();
        if misleading.is_empty() && view.is_announced(now) {
            reasons.push("announced");
        }
        if !self.database_answers().await {
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

    /// One question at a time, and at most one a second.
    async fn database_answers(&self) -> bool {
        let mut last = self.database_answer.lock().await;
        let now = self.parts.clock.monotonic();
        if let Some((asked, answered)) = *last
            && now.saturating_sub(asked) < DATABASE_ANSWER_COUNTS
        {
            return answered;
        }
        // In a task of its own: a caller who hangs up before the answer leaves the next one no reason to ask again.
        *last = Some((now, false));
        let store = Arc::clone(&self.parts.store);
        let answered = tokio::spawn(async move { store.check().await.is_ok() }).await.unwrap_or(false);
        *last = Some((now, answered));
        answered
    }

    fn misleading(&self) -> Vec<&'static str> {
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
