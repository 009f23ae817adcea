//! Events that record refused tokens, and what the caller may see of a refusal. A refusal is recorded only if the
//! token's signature is good and the rate limit of the provider allows: callers with forged tokens must not fill the
//! disk.

use serde_json::json;

use super::entitlements::{ProviderEntry, RulesSnapshot};
use super::event_kind::EventKind;
use super::exchange::Exchange;
use super::refusal::{DisclosedRefusal, ExchangeError, ExchangeRefusal, NotExchanged};
use crate::base::{EventId, Moment, Secret, Sha256};
use crate::jose::peek;
use crate::store::EventRow;
use crate::verifier::{Check, Trail, unverified_issuer_of};

/// Maximum length of a text that an event takes from the token or the request, in bytes.
const LONGEST: usize = 1_024;

impl Exchange {
    pub(super) fn event_id(&self, now: Moment) -> Result<EventId, ExchangeError> {
        Ok(EventId::new(now, &*self.parts.entropy)?)
    }

    /// Counts a refusal in the metrics. If the signature is good and the provider's rate limit allows, records an event
    /// with the full reason; the event never holds the token. All other refusals are logged, at a limited rate.
    pub(super) async fn record_refusal(
        &self,
        flow: &'static str,
        token: &Secret<String>,
        refusal: &ExchangeRefusal,
        trail: &Trail,
    ) {
        self.parts.metrics.exchange_refused(flow, refusal.reason());
        let Some(provider) = trail.signed_for() else { return self.log_sample(flow, refusal.reason()) };
        if self.refusals.as_ref().is_some_and(|rate| rate.count(&provider.to_owned()).is_err()) {
            return self.log_sample(flow, refusal.reason());
        }
        let now = self.parts.clock.now();
        let Ok(id) = self.event_id(now) else { return };
        let detail = json!({
            "reason": refusal.reason(), "check": refusal.check().to_string(), "expected": cut(refusal.expected()),
            "actual": cut(refusal.actual()), "provider": provider,
            "token_sha256": Sha256::of(token.expose_secret().as_bytes()).to_string(),
        });
        let event = EventRow {
            id,
            at: now,
            kind: EventKind::ExchangeRefused.name().to_owned(),
            flow: Some(flow.to_owned()),
            subject: subject_of(token).map(cut),
            detail: detail.to_string(),
        };
        if let Err(error) = self.parts.store.record_event(&self.id, &event).await {
            tracing::warn!(%error, "could not record the refusal of a token");
        }
    }

    /// Logs an outcome that is not recorded as an event, at a limited rate.
    pub(super) fn log_sample(&self, flow: &'static str, outcome: &'static str) {
        if self.samples.as_ref().is_none_or(|rate| rate.count(&flow).is_ok()) {
            tracing::info!(flow, outcome, "outcome of an exchange, logged at a limited rate");
        }
    }

    /// Adds the failed claim and the claim's value to a refusal, if the token passed the checks of signature, audience
    /// and time, and the provider's setting `explain_to_holders` is true.
    pub(super) fn disclose_for(&self, entry: &ProviderEntry, error: NotExchanged) -> NotExchanged {
        let NotExchanged::Refused(DisclosedRefusal { refusal, .. }) = error else { return error };
        let passed = refusal.check() > Check::Time;
        let disclosed = if passed && entry.provider().explains_to_holders() { refusal.disclosed() } else { None };
        NotExchanged::Refused(DisclosedRefusal { refusal, disclosed })
    }

    /// Adds the failed claim and the claim's value to the refusal of a token that no provider accepted, if
    /// `explain_to_holders` is true for all providers of the token's issuer.
    pub(super) fn disclose(
        &self,
        rules: &RulesSnapshot,
        token: &Secret<String>,
        error: NotExchanged,
        trail: &Trail,
    ) -> NotExchanged {
        if trail.signed_for().is_none() {
            return error;
        }
        let issuer = unverified_issuer_of(token.expose_secret()).unwrap_or_default();
        let mut entries = rules.entries_of(&issuer).peekable();
        match entries.next() {
            Some(first) if entries.all(|entry| entry.provider().explains_to_holders()) => {
                self.disclose_for(first, error)
            }
            _ => error,
        }
    }
}

fn cut(mut text: String) -> String {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
    text
}

/// Returns the claim `sub` of a token. The signature must have been verified before.
fn subject_of(token: &Secret<String>) -> Option<String> {
    let unverified = peek(token.expose_secret()).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(unverified.unverified_payload()).ok()?;
    claims.get("sub")?.as_str().map(str::to_owned)
}
