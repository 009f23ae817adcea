//! Determines whether the server can issue tokens, and whether the discovery document and key set may be served. A key
//! set that may lack a signing key is never served, and no answer here waits for the database or for a lock.

use serde::Serialize;

use super::issuer::Issuer;
use super::pulse::PULSE_WITHIN;
use crate::store::StoreError;

/// Body of `/health/ready`, for load balancers and operators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Readiness {
    /// `ready`; `degraded` if the server cannot issue tokens but its documents are correct; `unready` if the documents
    /// may lack a key or the server's clock seems wrong.
    pub(crate) status: &'static str,
    /// Reasons why the status is not `ready`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) reasons: Vec<&'static str>,
    /// Why the server's clock seems wrong, with the times that disagree; absent if the clock seems right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) clock: Option<String>,
    /// Problems that an operator should look at although the server works.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<&'static str>,
}

impl Readiness {
    /// Returns the readiness of a server that shuts down. Its documents are correct, but load balancers must send
    /// requests to other servers.
    pub(crate) fn leaving() -> Self {
        Self { status: "unready", reasons: vec!["shutdown"], clock: None, warnings: Vec::new() }
    }

    /// Returns whether balancers may send requests to this server.
    #[must_use]
    pub(crate) fn is_in_service(&self) -> bool {
        self.status != "unready"
    }
}

impl Issuer {
    /// Returns whether the discovery document and the key set may be served now. Makes no query to the database.
    #[must_use]
    pub(crate) fn documents_are_safe(&self) -> bool {
        self.misleading_reasons().is_empty()
    }

    /// Returns whether caches may keep the discovery document and the key set. False while this server's clock seems
    /// wrong, because other servers do not know this server's `max-age` then.
    #[must_use]
    pub(crate) fn documents_may_be_cached(&self) -> bool {
        !self.parts.keyring.is_doubted(self.parts.clock.now())
    }

    /// Returns the server's status with reasons and warnings. Makes no query: the last result of [`Self::pulse`] shows
    /// whether the database answers.
    #[must_use]
    pub(crate) fn readiness(&self) -> Readiness {
        let now = self.parts.clock.now();
        let misleading = self.misleading_reasons();
        let view = self.parts.keyring.view();
        let clock = self.parts.keyring.clock_fault(now).map(|fault| fault.to_string());
        let mut reasons = Vec::from_iter(clock.is_some().then_some("clock"));
        reasons.extend(&misleading);
        if reasons.is_empty() && view.is_announced(now) {
            reasons.push("announced");
        }
        if !self.pulse.works(self.parts.clock.monotonic()) {
            reasons.push("database");
        }
        let status = match (misleading.is_empty() && clock.is_none(), reasons.is_empty()) {
            (true, true) => "ready",
            (true, false) => "degraded",
            (false, _) => "unready",
        };
        let warnings = if view.is_overdue(now) { vec!["rotation_overdue"] } else { Vec::new() };
        Readiness { status, reasons, clock, warnings }
    }

    /// Checks that the database can be read and written, and stores the result for `/health/ready`. The server calls
    /// this every second; the check takes at most 1 s.
    pub async fn pulse(&self) {
        let late = || StoreError::Unavailable(format!("no answer within {} s", PULSE_WITHIN.as_secs()));
        let checked = tokio::time::timeout(PULSE_WITHIN, self.parts.store.check()).await;
        let checked = checked.unwrap_or_else(|_| Err(late()));
        let changed = self.pulse.keep(checked.is_ok(), self.parts.clock.monotonic());
        match checked {
            Err(error) if changed => {
                tracing::warn!(%error, "the database does not answer: readiness is degraded until it does")
            }
            Ok(()) if changed => tracing::info!("the database answers again"),
            Err(_) | Ok(()) => {}
        }
    }

    fn misleading_reasons(&self) -> Vec<&'static str> {
        let possible = self.parts.keyring.possible_times(self.parts.clock.now());
        let view = self.parts.keyring.view();
        let mut reasons = Vec::new();
        let signs = |at| view.default_signer(at).is_some() || view.is_announced(at);
        if !view.is_sound(*possible.end()) || !(signs(*possible.start()) || signs(*possible.end())) {
            reasons.push("keyring");
        }
        if self.parts.keyring.is_stale() {
            reasons.push("stale");
        }
        reasons
    }
}
