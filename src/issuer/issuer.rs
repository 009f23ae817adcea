//! One issuer: its name, its URL, its keys and its settings. Other files add its acts.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use super::documents::Documents;
use super::parts::IssuerParts;
use super::paths::Paths;
use super::rates::Rates;
use super::settings::IssuerSettings;
use crate::base::{IssuerId, IssuerUrl};
use crate::keyring::{ActError, Keyring};
use crate::telemetry::Metrics;

/// Whether the database answered last, and when on the monotonic clock.
pub(super) type DatabaseAnswer = Mutex<Option<(Duration, bool)>>;

/// One issuer: its name, its URL, its keys and its settings. A value, not a global.
pub struct Issuer {
    pub(super) id: IssuerId,
    pub(super) paths: Paths,
    pub(super) settings: IssuerSettings,
    pub(super) rates: Rates,
    pub(super) parts: IssuerParts,
    pub(super) documents: ArcSwap<Documents>,
    pub(super) database_answer: DatabaseAnswer,
}

impl Issuer {
    /// Puts an issuer together and renders its documents for the first time.
    #[must_use]
    pub fn new(id: IssuerId, paths: Paths, settings: IssuerSettings, rates: Rates, parts: IssuerParts) -> Self {
        let documents = Documents::render(&paths, &settings, &parts.keyring.view(), parts.clock.now());
        let documents = ArcSwap::from_pointee(documents);
        Self { id, paths, settings, rates, parts, documents, database_answer: DatabaseAnswer::default() }
    }

    /// The issuer's name in this installation.
    #[must_use]
    pub fn id(&self) -> &IssuerId {
        &self.id
    }

    /// The issuer's URL: `iss` of its tokens.
    #[must_use]
    pub fn url(&self) -> &IssuerUrl {
        self.paths.issuer()
    }

    /// Where everything answers.
    #[must_use]
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// The documents as they are served now.
    #[must_use]
    pub fn documents(&self) -> arc_swap::Guard<Arc<Documents>> {
        self.documents.load()
    }

    /// What is counted.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.parts.metrics
    }

    /// What is counted, as text, with the queue as it is now.
    #[must_use]
    pub fn render_metrics(&self) -> String {
        self.parts.metrics.queue(self.parts.pool.waiting());
        self.parts.metrics.render()
    }

    /// Does what is due with the keys, renders the documents if they changed, and forgets idle rate counters.
    /// Called all the time, and at least every `refresh_interval`.
    ///
    /// # Errors
    /// [`ActError`] when the keys can't be read or changed; the documents stay as they were, but for what time changes.
    pub async fn step(&self) -> Result<(), ActError> {
        let done = self.parts.keyring.step().await;
        let now = self.parts.clock.now();
        let view = self.parts.keyring.view();
        self.parts.metrics.rotation_overdue(view.is_overdue(now));
        let rendered = Documents::render(&self.paths, &self.settings, &view, now);
        if rendered != **self.documents.load() {
            self.documents.store(Arc::new(rendered));
        }
        self.rates.forget_idle();
        done
    }

    /// Our signing keys.
    #[must_use]
    pub fn keyring(&self) -> &Arc<Keyring> {
        &self.parts.keyring
    }
}
