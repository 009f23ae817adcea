//! The exchange of one issuer: its settings, its services, its rate limits, and the periodic work between requests.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::entitlements::RulesCache;
use super::settings::ExchangeSettings;
use crate::base::{Clock, Entropy, IssuerId, Moment, Rate};
use crate::keyring::{Keyring, SigningPool};
use crate::store::{FetchedDocuments, Store, StoreError};
use crate::telemetry::Metrics;

/// Limit of events of refused tokens: events per second for each provider, and burst. Callers whose tokens are refused
/// must not fill the disk.
const REFUSALS: (u32, u32) = (1, 60);

/// Limit of credentials for tokens that may be exchanged more than once: credentials per second for each subject, and
/// burst. Each credential adds a row to the database.
const REPEATED: (u32, u32) = (20, 200);

/// Limit of log lines for outcomes that are not recorded as events: lines per second for each flow, and burst.
const SAMPLES: (u32, u32) = (1, 1);

/// Services that an [`Exchange`] uses, all passed to [`Exchange::new`].
pub struct ExchangeParts {
    /// Database that records used tokens and issued credentials.
    pub store: Arc<dyn Store>,
    /// Cache of the current users, providers and entitlements.
    pub rules_cache: Arc<RulesCache>,
    /// Keys that sign access tokens.
    pub keyring: Arc<Keyring>,
    /// Threads that sign tokens and evaluate conditions.
    pub pool: Arc<SigningPool>,
    /// Counters of credentials and refusals.
    pub metrics: Arc<Metrics>,
    /// Source of the current time.
    pub clock: Arc<dyn Clock>,
    /// Source of random bytes.
    pub entropy: Arc<dyn Entropy>,
}

/// Exchange of one issuer, which verifies subject tokens and issues credentials for the tokens.
pub struct Exchange {
    pub(super) id: IssuerId,
    pub(super) settings: ExchangeSettings,
    pub(super) parts: ExchangeParts,
    pub(super) refusals: Option<Rate<String>>,
    /// Rate limits of repeated exchanges, by provider and subject of the token.
    pub(super) repeated: Option<Rate<(String, String)>>,
    pub(super) samples: Option<Rate<&'static str>>,
    /// Fetch times of the provider documents that this server has stored in the database, by name of the provider.
    stored_documents: Mutex<HashMap<String, Moment>>,
}

impl Exchange {
    /// Creates the exchange of the issuer `id`.
    #[must_use]
    pub fn new(id: IssuerId, settings: ExchangeSettings, parts: ExchangeParts) -> Self {
        let refusals = Rate::new(REFUSALS.0, REFUSALS.1, &parts.clock);
        let repeated = Rate::new(REPEATED.0, REPEATED.1, &parts.clock);
        let samples = Rate::new(SAMPLES.0, SAMPLES.1, &parts.clock);
        Self { id, settings, parts, refusals, repeated, samples, stored_documents: Mutex::default() }
    }

    /// Settings of this issuer's exchange.
    #[must_use]
    pub fn settings(&self) -> &ExchangeSettings {
        &self.settings
    }

    /// Runs the periodic work: stores fetched provider documents, and deletes records of used tokens that have expired.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; the next call does the remaining work.
    pub async fn step(&self) -> Result<(), StoreError> {
        self.store_documents().await?;
        if let Some(refusals) = &self.refusals {
            refusals.forget_idle();
        }
        if let Some(repeated) = &self.repeated {
            repeated.forget_idle();
        }
        // A record deleted while some replica's clock still accepts the token would let the token be used again.
        if let Some(passed) = self.parts.keyring.surely_passed() {
            self.parts.store.delete_used_tokens(&self.id, passed).await?;
        }
        Ok(())
    }

    async fn store_documents(&self) -> Result<(), StoreError> {
        let rules = self.parts.rules_cache.current().await?;
        for entry in rules.entries.values() {
            let Some(row) = &entry.row else { continue };
            let keys = entry.verifier.keys();
            // Asking for the number of the key set makes the source fetch a new set before the current one grows too
            // old.
            let _generation = keys.generation();
            let Some(fetched) = keys.fetched() else { continue };
            let known = row.fetched.as_ref().map(|known| known.refreshed_at);
            let stored = self.stored_documents.lock().unwrap_or_else(PoisonError::into_inner).get(&row.name).copied();
            if known.max(stored).is_some_and(|known| fetched.at <= known) {
                continue;
            }
            let text = |bytes: Vec<u8>| String::from_utf8(bytes).ok();
            let Some(jwks) = text(fetched.jwks) else { continue };
            let configuration = fetched.configuration.and_then(text);
            let documents = FetchedDocuments { configuration, jwks, refreshed_at: fetched.at };
            self.parts.store.keep_documents(&self.id, (&row.name, row.revision), &documents).await?;
            let mut stored = self.stored_documents.lock().unwrap_or_else(PoisonError::into_inner);
            stored.insert(row.name.clone(), fetched.at);
        }
        Ok(())
    }
}
