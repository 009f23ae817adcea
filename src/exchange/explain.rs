//! Explanations for operators: every step of an exchange, with expected and actual values. An explanation neither
//! records a token as used nor issues a credential.

use super::exchange::Exchange;
use super::flow::{Attempt, ExchangeDecision, IssuingFlow, Offer};
use super::flows::forward_auth::ForwardAuth;
use super::redeem::expires_at;
use super::refusal::{DisclosedRefusal, ExchangeError, ExchangeRefusal, NotExchanged};
use crate::base::{Moment, Secret};
use crate::verifier::{Check, Explanation, Trail};

impl Exchange {
    /// Explains what an exchange of the token would do, without using the token up or issuing a credential.
    ///
    /// # Errors
    /// [`ExchangeError`] if the exchange cannot be evaluated.
    pub async fn explain(&self, flow: &dyn IssuingFlow, token: &Secret<String>) -> Result<Explanation, ExchangeError> {
        let mut trail = Trail::recording();
        let evaluated = self.evaluate(flow, token, self.parts.clock.now(), &mut trail).await;
        match &evaluated {
            Ok((_, offer)) if !offer.grants_access() => trail.failed(Check::Use, || {
                ("access to at least one of the requested scopes".to_owned(), "access to none of them".to_owned())
            }),
            Ok((_, offer)) => trail.passed(Check::Use, || {
                let issued = format!("not used; it would be exchanged for {} for {}", offer.name, offer.audience);
                ("an unused token".to_owned(), issued)
            }),
            Err(_) => {}
        }
        explanation_of(evaluated, trail)
    }

    /// Explains whether a proxy would let a request through, without counting the request in metrics or events.
    ///
    /// # Errors
    /// [`ExchangeError`] if the request cannot be evaluated.
    pub async fn explain_forward(&self, request: &ForwardAuth) -> Result<Explanation, ExchangeError> {
        let mut trail = Trail::recording();
        let admitted = self.try_admit(request, self.parts.clock.now(), &mut trail).await;
        explanation_of(admitted, trail)
    }

    async fn evaluate(
        &self,
        flow: &dyn IssuingFlow,
        token: &Secret<String>,
        now: Moment,
        trail: &mut Trail,
    ) -> Result<(ExchangeDecision, Offer), NotExchanged> {
        self.parts.keyring.ready_to_verify(now).await?;
        let rules = self.parts.rules_cache.current().await?;
        let mut attempt = Attempt { exchange: self, rules: &rules, token, now, trail };
        let (decision, offer) = attempt.evaluate(flow).await?;
        expires_at(&decision, &offer, now)?;
        if self.is_used(&decision).await? {
            return Err(ExchangeRefusal::Used.into());
        }
        Ok((decision, offer))
    }
}

/// Returns the recorded checks. If the token or the request was refused, the last check is the failed one.
fn explanation_of<T>(evaluated: Result<T, NotExchanged>, mut trail: Trail) -> Result<Explanation, ExchangeError> {
    match evaluated {
        Ok(_) => {}
        Err(NotExchanged::Failed(error)) => return Err(error),
        // The verifier has already noted most refusals of the token.
        Err(NotExchanged::Refused(DisclosedRefusal { refusal: ExchangeRefusal::Token(refusal), .. })) => {
            let mut explanation = trail.finish();
            if explanation.accepted() || explanation.steps.is_empty() {
                explanation.refused(&refusal);
            }
            return Ok(explanation);
        }
        Err(NotExchanged::Refused(DisclosedRefusal { refusal, .. })) => {
            trail.failed(refusal.check(), || (refusal.expected(), refusal.actual()));
        }
    }
    Ok(trail.finish())
}
