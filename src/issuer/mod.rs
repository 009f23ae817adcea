//! The act of issuing: registering builds, handing out request tokens, signing ID tokens, publishing documents.

mod asked;
mod authentication;
mod documents;
mod draft;
mod environment;
mod issuance;
mod issued;
mod lookup;
mod paths;
mod rates;
mod readiness;
mod refusal;
mod registration;
mod step_tokens;

use std::sync::Arc;

use arc_swap::ArcSwap;

pub use self::asked::{DirectRequest, PullPath, TokenRequest};
pub use self::authentication::{ClientCredential, TokenCaller};
pub use self::documents::{Document, Documents};
pub use self::environment::JobEnvironment;
pub use self::issued::{Issued, IssuedToken, Preview};
pub use self::paths::Paths;
pub use self::rates::Rates;
pub use self::readiness::Readiness;
pub use self::refusal::{IssueError, IssueRefusal, NotIssued, Quota};
pub use self::registration::Registration;
pub use self::step_tokens::StepToken;
use crate::base::{Clock, Entropy, IssuerId, IssuerUrl, Seconds};
use crate::claims::{ExtraClaims, Presets, SubjectFormat};
use crate::keyring::{ActError, Keyring, SigningPool};
use crate::policy::IssuancePolicy;
use crate::store::{Store, StoreError};
use crate::telemetry::Metrics;
use crate::verifier::{self, Requirements, VerifiedToken};

/// What an operator decided about tokens.
#[derive(Debug)]
pub struct IssuerSettings {
    /// Lifetime of a token that asks for none.
    pub default_lifetime: Seconds,
    /// Cap of every lifetime.
    pub max_lifetime: Seconds,
    /// Cap of a build's own deadline.
    pub max_build: Seconds,
    /// How many tokens a build may have; `None` for no limit.
    pub tokens_per_build: Option<u64>,
    /// How a subject is written.
    pub subject: SubjectFormat,
    /// Under which names claims appear.
    pub presets: Presets,
    /// Claims made from templates.
    pub extra: ExtraClaims,
    /// Who gets which audience.
    pub policy: IssuancePolicy,
    /// Is the exchange open, so that the documents name it?
    pub exchange: bool,
}

/// Who verifies the tokens of clients without a secret, by the providers that stand. Never takes one of our own.
#[async_trait::async_trait]
pub trait TokenVerifier: Send + Sync + 'static {
    /// The token as each provider of its issuer took it that finds it good, and what the door demands.
    ///
    /// # Errors
    /// [`StoreError`]; the inner error as the provider's verifier says that got furthest, where none took it.
    async fn verify(
        &self,
        token: &str,
        requirements: &Requirements<'_>,
    ) -> Result<Result<Vec<VerifiedToken>, verifier::TokenRefusal>, StoreError>;
}

/// What the issuer is made of; each part comes from outside.
pub struct Parts {
    /// Where everything is remembered.
    pub store: Arc<dyn Store>,
    /// Our signing keys.
    pub keyring: Arc<Keyring>,
    /// The threads that sign.
    pub pool: Arc<SigningPool>,
    /// Who tells whose token a client without a secret sends.
    pub judge: Arc<dyn TokenVerifier>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where *now* comes from.
    pub clock: Arc<dyn Clock>,
    /// Where random bytes come from.
    pub entropy: Arc<dyn Entropy>,
}

/// One issuer: its name, its URL, its keys and its terms. A value, not a global.
pub struct Issuer {
    id: IssuerId,
    paths: Paths,
    terms: IssuerSettings,
    rates: Rates,
    parts: Parts,
    documents: ArcSwap<Documents>,
    database_answer: readiness::DatabaseAnswer,
}

impl Issuer {
    /// Puts an issuer together and renders its documents for the first time.
    #[must_use]
    pub fn new(id: IssuerId, paths: Paths, terms: IssuerSettings, rates: Rates, parts: Parts) -> Self {
        let documents = Documents::render(&paths, &terms, &parts.keyring.view(), parts.clock.now());
        let documents = ArcSwap::from_pointee(documents);
        Self { id, paths, terms, rates, parts, documents, database_answer: readiness::DatabaseAnswer::default() }
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
        let rendered = Documents::render(&self.paths, &self.terms, &view, now);
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
