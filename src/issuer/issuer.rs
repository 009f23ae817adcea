//! The issuer: id, URL, keys and settings. Other files in this folder add what an issuer does.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::documents::Documents;
use super::parts::IssuerParts;
use super::paths::Paths;
use super::pulse::Pulse;
use super::rates::Rates;
use super::settings::IssuerSettings;
use crate::base::{IssuerId, IssuerUrl};
use crate::keyring::{ActError, Keyring};
use crate::telemetry::Metrics;

/// An OpenID Connect issuer with keys and settings. The issuer is a value, not a global.
pub struct Issuer {
    pub(super) id: IssuerId,
    pub(super) paths: Paths,
    pub(super) settings: IssuerSettings,
    pub(super) rates: Rates,
    pub(super) parts: IssuerParts,
    pub(super) documents: ArcSwap<Documents>,
    pub(super) pulse: Pulse,
}

impl Issuer {
    #[must_use]
    pub(crate) fn new(id: IssuerId, paths: Paths, settings: IssuerSettings, rates: Rates, parts: IssuerParts) -> Self {
        let possible = parts.keyring.possible_times(parts.clock.now());
        let documents = Documents::render(&paths, &settings, &parts.keyring.view(), *possible.start());
        let documents = ArcSwap::from_pointee(documents);
        let pulse = Pulse::new(parts.clock.monotonic());
        Self { id, paths, settings, rates, parts, documents, pulse }
    }

    #[must_use]
    pub(crate) fn id(&self) -> &IssuerId {
        &self.id
    }

    /// Returns the URL of the issuer, which is the `iss` of the issuer's tokens.
    #[must_use]
    pub fn url(&self) -> &IssuerUrl {
        self.paths.issuer()
    }

    #[must_use]
    pub(crate) fn paths(&self) -> &Paths {
        &self.paths
    }

    /// Returns the discovery document and the key set as last rendered.
    #[must_use]
    pub(crate) fn documents(&self) -> arc_swap::Guard<Arc<Documents>> {
        self.documents.load()
    }

    #[must_use]
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.parts.metrics
    }

    /// Returns the server's metrics as OpenMetrics text, with the current length of the signing queue.
    #[must_use]
    pub(crate) fn render_metrics(&self) -> String {
        self.parts.metrics.queue(self.parts.pool.waiting());
        self.parts.metrics.render()
    }

    /// Writes the change of the signing keys that is due, renders the discovery document and key set again if they have
    /// changed, and drops unused rate limits. Must run at least every `refresh_interval`: a server that last read the
    /// keys longer ago does not sign.
    ///
    /// # Errors
    /// [`ActError`] if the keys cannot be read or changed. The documents then show the keys as they were last read.
    pub async fn step(&self) -> Result<(), ActError> {
        let result = self.parts.keyring.step().await;
        let now = self.parts.clock.now();
        let view = self.parts.keyring.view();
        self.parts.metrics.rotation_overdue(view.is_overdue(now));
        let possible = self.parts.keyring.possible_times(now);
        let rendered = Documents::render(&self.paths, &self.settings, &view, *possible.start());
        if rendered != **self.documents.load() {
            self.documents.store(Arc::new(rendered));
        }
        self.rates.forget_idle();
        self.parts.store.age_request_token_cache(self.parts.clock.monotonic());
        result
    }

    /// Returns the keyring, which holds the issuer's signing keys.
    #[must_use]
    pub fn keyring(&self) -> &Arc<Keyring> {
        &self.parts.keyring
    }
}
