//! The act of trading: a token in, exactly the right, short credential out. The same for every dialect; a dialect has
//! no policy and no SQL in it.
//!
//! ```text
//! request (one dialect) → verifier → policy → one transaction: claim the token, make the credential → response
//! ```

mod credentials;
mod dashboard;
mod entitlements;
mod events;
mod flows;
mod introspection;
mod opaque_key;
mod publications;
mod redeem;
mod refusal;
mod revocation;
mod settings;
mod spec;
mod subject_token;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

pub use self::credentials::Granted;
pub use self::dashboard::DashboardRefusal;
pub use self::entitlements::RulesCache;
pub use self::entitlements::{Applied, ApplyRulesError, RulesEditor};
pub use self::entitlements::{AudienceConflict, FlowOfAudience, check_audiences};
pub use self::entitlements::{Change, ChangeKind, ChangeSet, Precondition, Prune, RuleError, Section};
pub use self::entitlements::{is_same, leave_written, owner, shown_credential, shown_rules};
use self::events::{REFUSALS, REPEATED, SAMPLES};
pub use self::flows::{
    Access, Admitted, Ask, ForwardCredential, ForwardRequest, RUBYGEMS_CLAIMS, RegistryScope, RequestedToken,
    TokenExchangeRequest,
};
pub use self::introspection::Introspection;
pub use self::opaque_key::{KEY_PREFIX, is_key};
pub use self::publications::{PublicationError, PublicationSpec, provenance};
pub use self::refusal::{DisclosedRefusal, ExchangeError, ExchangeRefusal, NotExchanged};
pub use self::revocation::revoke_credential;
pub use self::settings::{DefaultAudiences, ExchangeSettings};
pub use self::spec::{
    GivenToken, GrantSpec, NamedProviderSpec, NugetSection, Permissions, PublisherSpec, RoleSpec, RubygemsSection,
    RulesFile, TrustPolicySpec, UserSpec,
};
pub use self::spec::{RulesFileError, one_object, read_rules_file};
use crate::base::{Clock, Entropy, IssuerId, Moment, Rate};
use crate::keyring::{Keyring, SigningPool};
use crate::store::{FetchedDocuments, Store, StoreError};
use crate::telemetry::Metrics;

/// What the exchange is made of; each part comes from outside.
pub struct ExchangeParts {
    /// Where everything is remembered.
    pub store: Arc<dyn Store>,
    /// What tokens may be traded for.
    pub rules_cache: Arc<RulesCache>,
    /// Our signing keys.
    pub keyring: Arc<Keyring>,
    /// The threads that sign, and that evaluate conditions.
    pub pool: Arc<SigningPool>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where *now* comes from.
    pub clock: Arc<dyn Clock>,
    /// Where random bytes come from.
    pub entropy: Arc<dyn Entropy>,
}

/// The exchange of one issuer.
pub struct Exchange {
    id: IssuerId,
    settings: ExchangeSettings,
    parts: ExchangeParts,
    refusals: Option<Rate<String>>,
    /// By provider and subject.
    repeated: Option<Rate<(String, String)>>,
    samples: Option<Rate<&'static str>>,
    /// When the documents that are stored of each provider were fetched.
    kept: Mutex<HashMap<String, Moment>>,
}

impl Exchange {
    /// Puts an exchange together.
    #[must_use]
    pub fn new(id: IssuerId, settings: ExchangeSettings, parts: ExchangeParts) -> Self {
        let refusals = Rate::new(REFUSALS.0, REFUSALS.1, &parts.clock);
        let repeated = Rate::new(REPEATED.0, REPEATED.1, &parts.clock);
        let samples = Rate::new(SAMPLES.0, SAMPLES.1, &parts.clock);
        Self { id, settings, parts, refusals, repeated, samples, kept: Mutex::default() }
    }

    /// What is due beside requests: what was fetched of providers is kept, and spent tokens that nobody would take any
    /// more are forgotten.
    ///
    /// # Errors
    /// [`StoreError`]; what was not done is done next time.
    pub async fn step(&self) -> Result<(), StoreError> {
        let snapshot = self.parts.rules_cache.current().await?;
        for entry in snapshot.entries.values() {
            let Some(row) = &entry.row else { continue };
            let keys = entry.verifier.keys();
            // Asked for its set, a source fetches a new one before the old one grows too old.
            let _generation = keys.generation();
            let Some(fetched) = keys.fetched() else { continue };
            let known = row.fetched.as_ref().map(|known| known.refreshed_at);
            let kept = self.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(&row.name).copied();
            if known.max(kept).is_none_or(|known| fetched.at > known) {
                let text = |bytes: Vec<u8>| String::from_utf8(bytes).ok();
                let Some(jwks) = text(fetched.jwks) else { continue };
                let configuration = fetched.configuration.and_then(text);
                let documents = FetchedDocuments { configuration, jwks, refreshed_at: fetched.at };
                self.parts.store.keep_documents(&self.id, (&row.name, row.revision), &documents).await?;
                let mut kept = self.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                kept.insert(row.name.clone(), fetched.at);
            }
        }
        if let Some(refusals) = &self.refusals {
            refusals.forget_idle();
        }
        if let Some(repeated) = &self.repeated {
            repeated.forget_idle();
        }
        // What was spent is forgotten only when its time has passed for sure, by whichever clock.
        if let Some(passed) = self.parts.keyring.surely_passed() {
            self.parts.store.delete_used_tokens(&self.id, passed).await?;
        }
        Ok(())
    }

    /// What an operator decided.
    #[must_use]
    pub fn settings(&self) -> &ExchangeSettings {
        &self.settings
    }
}
