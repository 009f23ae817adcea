//! What operators read of the exchange. A refusal is a row only where a token with a good signature caused it, and of
//! each provider only so many: strangers must not fill the disk.

use serde_json::json;

use super::entitlements::{ProviderEntry, RulesSnapshot};
use super::{DisclosedRefusal, Exchange, ExchangeError, ExchangeRefusal, NotExchanged};
use crate::base::{EventId, Moment, Secret, Sha256};
use crate::jose::peek;
use crate::store::EventRow;
use crate::verifier::{Check, Trail, unverified_issuer_of};

/// Rows of refusals a second and provider, and how many at once.
pub(super) const REFUSALS: (u32, u32) = (1, 60);

/// What may be given again for a token: so much a second to each subject, and so much at once. Each leaves rows.
pub(super) const REPEATED: (u32, u32) = (20, 200);

/// Lines a second and door of what is no row.
pub(super) const SAMPLES: (u32, u32) = (1, 1);

/// Longest text of a caller's that a row repeats, in bytes.
const LONGEST: usize = 1_024;

impl Exchange {
    pub(super) fn event_id(&self, now: Moment) -> Result<EventId, ExchangeError> {
        Ok(EventId::new(now, &*self.parts.entropy)?)
    }

    /// Counts a refusal. One of a token whose signature was good is a row, within its provider's rate: the full
    /// reason, never the token. Of all others a sample is logged.
    pub(super) async fn refused(
        &self,
        flow: &'static str,
        token: &Secret<String>,
        refusal: &ExchangeRefusal,
        trail: &Trail,
    ) {
        self.parts.metrics.exchange_refused(flow, refusal.reason());
        let Some(provider) = trail.signed_for() else { return self.sample(flow, refusal.reason()) };
        if self.refusals.as_ref().is_some_and(|rate| rate.count(&provider.to_owned()).is_err()) {
            return self.sample(flow, refusal.reason());
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
            kind: "exchange_refused".to_owned(),
            flow: Some(flow.to_owned()),
            subject: subject_of(token).map(cut),
            detail: detail.to_string(),
        };
        if let Err(error) = self.parts.store.record_event(&self.id, &event).await {
            tracing::warn!(%error, "a refusal could not be recorded");
        }
    }

    /// Logs what is no row, now and then.
    pub(super) fn sample(&self, flow: &'static str, what: &'static str) {
        if self.samples.as_ref().is_none_or(|rate| rate.count(&flow).is_ok()) {
            tracing::info!(flow, what, "sampled");
        }
    }

    /// A refusal with what its caller may read: who holds a token that passed signature, time and audience, of our own
    /// issuer or of one that only our own people can have tokens of.
    pub(super) fn tell(&self, entry: &ProviderEntry, refusal: ExchangeRefusal) -> NotExchanged {
        let passed = refusal.check() > Check::Time;
        let may_read = passed && entry.provider().explains_to_holders();
        let told = if may_read { refusal.told() } else { None };
        NotExchanged::Refused(DisclosedRefusal { refusal, told })
    }

    /// The same where it is not known yet which entry judged: all of its issuer must allow it.
    pub(super) fn tell_holder(
        &self,
        snapshot: &RulesSnapshot,
        token: &Secret<String>,
        refused: DisclosedRefusal,
        trail: &Trail,
    ) -> NotExchanged {
        if trail.signed_for().is_none() {
            return NotExchanged::Refused(refused);
        }
        let issuer = unverified_issuer_of(token.expose_secret()).unwrap_or_default();
        let mut entries = snapshot.entries_of(&issuer).peekable();
        match entries.next() {
            Some(first) if entries.all(|entry| entry.provider().explains_to_holders()) => {
                self.tell(first, refused.refusal)
            }
            _ => NotExchanged::Refused(refused),
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

/// The subject of a token whose signature was good.
fn subject_of(token: &Secret<String>) -> Option<String> {
    let unverified = peek(token.expose_secret()).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(unverified.unverified_payload()).ok()?;
    claims.get("sub")?.as_str().map(str::to_owned)
}
