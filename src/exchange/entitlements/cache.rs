//! Cache of the current users, providers and entitlements. Each request compares the cached revision with the
//! database's, so that a change by any replica or command applies to the next request on every replica.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::snapshot::{ProviderEntry, RulesSnapshot, VerifierFactory};
use crate::base::{Clock, IssuerId};
use crate::store::{Store, StoreError};
use crate::verifier::{
    Furthest, Provider, Requirements, Resolver, TokenRefusal, VerifiedToken, Verifier, unverified_issuer_of,
};

/// Cache of one issuer's users, providers and entitlements, with verifiers for the providers.
pub struct RulesCache {
    store: Arc<dyn Store>,
    issuer: IssuerId,
    factory: VerifierFactory,
    current: ArcSwap<RulesSnapshot>,
    /// Lock held while a request reads the database, so that concurrent requests do not read the same rows again.
    reading: tokio::sync::Mutex<()>,
}

/// Parts of a [`RulesCache`], all created by the caller.
pub struct RulesCacheParts {
    /// Database that holds the rules.
    pub store: Arc<dyn Store>,
    /// Issuer of the rules.
    pub issuer: IssuerId,
    /// Verifier of tokens of our own issuer.
    pub own: Verifier,
    /// Source of the current time.
    pub clock: Arc<dyn Clock>,
    /// Resolver of the providers' hosts.
    pub resolver: Arc<dyn Resolver>,
    /// Providers that this server's configuration declares.
    pub configured: Arc<[Provider]>,
}

impl RulesCache {
    /// Creates an empty cache, which reads the rules on first use.
    #[must_use]
    pub fn new(parts: RulesCacheParts) -> Self {
        let RulesCacheParts { store, issuer, own, clock, resolver, configured } = parts;
        let own = Arc::new(ProviderEntry { row: None, verifier: own, as_configured: true });
        let factory = VerifierFactory { own, clock, resolver, configured };
        let current = ArcSwap::from_pointee(RulesSnapshot::empty(&factory));
        Self { store, issuer, factory, current, reading: tokio::sync::Mutex::new(()) }
    }

    /// Returns a snapshot of the rules that are in the database now.
    pub(in crate::exchange) async fn current(&self) -> Result<Arc<RulesSnapshot>, StoreError> {
        let revision = self.store.rules_revision(&self.issuer).await?;
        let known = self.current.load_full();
        if known.revision == revision {
            return Ok(known);
        }
        let _one_at_a_time = self.reading.lock().await;
        let known = self.current.load_full();
        if known.revision >= revision {
            return Ok(known);
        }
        let rows = self.store.read_rules(&self.issuer, known.revision).await?;
        let snapshot = Arc::new(known.after(rows, &self.factory));
        self.current.store(Arc::clone(&snapshot));
        Ok(snapshot)
    }

    /// Verifies an ID token that a client presents in place of a client secret. Each provider of the token's issuer
    /// verifies the token, except our own issuer.
    ///
    /// # Errors
    /// [`StoreError`] if the rules cannot be read. The inner error is one refusal, if all providers refuse the token:
    /// the one whose check comes last in the order of checks.
    pub async fn verify(
        &self,
        token: &str,
        requirements: &Requirements<'_>,
    ) -> Result<Result<Vec<VerifiedToken>, TokenRefusal>, StoreError> {
        let snapshot = self.current().await?;
        Ok(snapshot.verify(token, requirements).await)
    }
}

impl RulesSnapshot {
    async fn verify(&self, token: &str, requirements: &Requirements<'_>) -> Result<Vec<VerifiedToken>, TokenRefusal> {
        let issuer = unverified_issuer_of(token)?;
        let mut verified = Vec::new();
        let mut furthest = Furthest::default();
        for entry in self.entries_of(&issuer).filter(|entry| !entry.provider().is_own_issuer()) {
            match entry.verifier.verify(token, requirements).await {
                Ok(token) => verified.push(token),
                Err(refusal) => furthest.note(refusal.check(), refusal),
            }
        }
        if !verified.is_empty() {
            return Ok(verified);
        }
        Err(furthest.into_inner().unwrap_or(TokenRefusal::UnknownIssuer { issuer }))
    }
}
