//! Can we issue, and may our documents be believed? Answers readiness and the documents alike.

use serde::Serialize;

use super::Issuer;

/// What a load balancer and an operator are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// `ready`, `degraded` (no issuing, documents are safe), or `unready` (documents could mislead).
    pub status: &'static str,
    /// Why it is not `ready`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<&'static str>,
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
        let misleading = self.misleading();
        let database = self.parts.store.check().await.is_err();
        let (status, mut reasons) = match (misleading.is_empty(), database) {
            (true, false) => ("ready", Vec::new()),
            (true, true) => ("degraded", Vec::new()),
            (false, _) => ("unready", misleading),
        };
        if database {
            reasons.push("database");
        }
        Readiness { status, reasons }
    }

    fn misleading(&self) -> Vec<&'static str> {
        let now = self.parts.clock.now();
        let view = self.parts.keyring.view();
        let mut reasons = Vec::new();
        if !view.is_sound(now) || !self.terms.algorithms.iter().any(|alg| view.signer(*alg, now).is_some()) {
            reasons.push("keyring");
        }
        if self.parts.keyring.is_stale() {
            reasons.push("stale");
        }
        reasons
    }
}
