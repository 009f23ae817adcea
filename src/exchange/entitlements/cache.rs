//! The rule book in force. Asked for at every request: a change that any server or command made is in force at the next
//! one, on every server.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::snapshot::{ProviderEntry, RulesSnapshot, VerifierFactory};
use crate::base::{Clock, IssuerId};
use crate::store::{Store, StoreError};
use crate::verifier::{
    Furthest, Provider, Requirements, Resolver, TokenRefusal, VerifiedToken, Verifier, unverified_issuer_of,
};

/// Who reads the rules, and keeps what was read.
pub struct RulesCache {
    store: Arc<dyn Store>,
    issuer: IssuerId,
    factory: VerifierFactory,
    current: ArcSwap<RulesSnapshot>,
    /// One reading at a time.
    reading: tokio::sync::Mutex<()>,
}

impl RulesCache {
    /// The rules of this issuer. `own` judges its own tokens; `configured` are the configuration's providers. Reads
    /// nothing yet.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        issuer: IssuerId,
        own: Verifier,
        clock: Arc<dyn Clock>,
        resolver: Arc<dyn Resolver>,
        configured: Arc<[Provider]>,
    ) -> Self {
        let own = Arc::new(ProviderEntry { row: None, verifier: own, as_configured: true });
        let factory = VerifierFactory { own, clock, resolver, configured };
        let current = ArcSwap::from_pointee(RulesSnapshot::empty(&factory));
        Self { store, issuer, factory, current, reading: tokio::sync::Mutex::new(()) }
    }

    /// The book as it stands in the database now.
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

    /// The token of a client without a secret, as each provider of its issuer took it; never our own.
    ///
    /// # Errors
    /// [`StoreError`]; the inner error as the provider's verifier says.
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
        let mut taken = Vec::new();
        let mut furthest = Furthest::default();
        for entry in self.entries_of(&issuer).filter(|entry| !entry.provider().is_own_issuer()) {
            match entry.verifier.verify(token, requirements).await {
                Ok(verified) => taken.push(verified),
                Err(refusal) => furthest.note(refusal.check(), refusal),
            }
        }
        if !taken.is_empty() {
            return Ok(taken);
        }
        Err(furthest.into_inner().unwrap_or(TokenRefusal::UnknownIssuer { issuer }))
    }
}
