//! The rule book in force. Asked for at every request: a change that any server or command made is in force at the next
//! one, on every server.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::rule_book::{Entry, RuleBook, Workshop};
use crate::base::{Clock, IssuerId};
use crate::store::{Store, StoreError};
use crate::verifier::{Demand, Provider, Refusal, Resolver, VerifiedToken, Verifier, unverified_issuer_of};

/// Who reads the rules, and keeps what was read.
pub struct RuleBooks {
    store: Arc<dyn Store>,
    issuer: IssuerId,
    workshop: Workshop,
    current: ArcSwap<RuleBook>,
    /// One reading at a time.
    reading: tokio::sync::Mutex<()>,
}

impl RuleBooks {
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
        let own = Arc::new(Entry { row: None, verifier: own, as_configured: true });
        let workshop = Workshop { own, clock, resolver, configured };
        let current = ArcSwap::from_pointee(RuleBook::empty(&workshop));
        Self { store, issuer, workshop, current, reading: tokio::sync::Mutex::new(()) }
    }

    /// The book as it stands in the database now.
    pub(super) async fn current(&self) -> Result<Arc<RuleBook>, StoreError> {
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
        let book = Arc::new(known.after(rows, &self.workshop));
        self.current.store(Arc::clone(&book));
        Ok(book)
    }

    /// The token of a client without a secret, as each provider of its issuer took it; never our own.
    ///
    /// # Errors
    /// [`StoreError`]; the inner error as the provider's verifier says.
    pub async fn verify(
        &self,
        token: &str,
        demand: &Demand<'_>,
    ) -> Result<Result<Vec<VerifiedToken>, Refusal>, StoreError> {
        let book = self.current().await?;
        Ok(book.verify(token, demand).await)
    }
}

impl RuleBook {
    async fn verify(&self, token: &str, demand: &Demand<'_>) -> Result<Vec<VerifiedToken>, Refusal> {
        let issuer = unverified_issuer_of(token)?;
        let mut taken = Vec::new();
        let mut furthest: Option<Refusal> = None;
        for entry in self.entries_of(&issuer).filter(|entry| !entry.provider().is_itself()) {
            match entry.verifier.verify(token, demand).await {
                Ok(verified) => taken.push(verified),
                Err(refusal) if furthest.as_ref().is_none_or(|known| known.check() < refusal.check()) => {
                    furthest = Some(refusal);
                }
                Err(_) => {}
            }
        }
        if !taken.is_empty() {
            return Ok(taken);
        }
        Err(furthest.unwrap_or(Refusal::UnknownIssuer { issuer }))
    }
}
