//! Flow of NuGet's token API: the client names a user, and the user's oldest trust policy that accepts the token
//! decides. A caller without a valid token must not find out which users and policies exist.

use async_trait::async_trait;

use crate::exchange::entitlements::{CompiledTrustPolicy, RulesSnapshot};
use crate::exchange::flow::{
    Accepted, Attempt, Candidate, DecidedBy, EntitlementFlow, ExchangeDecision, Flow, FlowAudience, Form, IssuingFlow,
    Lifetime, Mismatch, Offer,
};
use crate::exchange::refusal::{ExchangeRefusal, NotExchanged};
use crate::exchange::settings::ExchangeSettings;
use crate::exchange::subject_token::SubjectToken;
use crate::verifier::{Provider, TokenRefusal};

/// Stable name of NuGet's flow, which is stored with the issued keys.
pub(in crate::exchange) const NAME: &str = "nuget";

/// Flow that exchanges a token for a NuGet key of a package owner.
#[derive(Debug, Clone)]
pub struct Nuget {
    /// User that the client names. Only trust policies of this user may accept the token.
    pub username: String,
}

#[async_trait]
impl Flow for Nuget {
    fn name(&self) -> &'static str {
        NAME
    }

    fn audience<'a>(
        &'a self,
        _rules: &'a RulesSnapshot,
        settings: &'a ExchangeSettings,
        _provider: &'a Provider,
    ) -> Result<FlowAudience<'a>, NotExchanged> {
        Ok(FlowAudience::Required(&settings.nuget_audience))
    }

    fn decided_by(&self) -> DecidedBy<'_> {
        DecidedBy::Entitlements(self)
    }

    /// Removes tokens without an id claim, which NuGet requires: `jti`, or `uti` in tokens of Entra.
    async fn check_tokens(
        &self,
        _attempt: &mut Attempt<'_>,
        tokens: &mut Vec<SubjectToken>,
    ) -> Result<(), NotExchanged> {
        let claim = tokens.first().map(id_claim).unwrap_or_default().to_owned();
        tokens.retain(|token| token.verified.claims().filled(id_claim(token)).is_some());
        if tokens.is_empty() {
            return Err(ExchangeRefusal::Token(TokenRefusal::ClaimMissing { claim }).into());
        }
        Ok(())
    }
}

#[async_trait]
impl EntitlementFlow for Nuget {
    fn candidates(&self, rules: &RulesSnapshot, tokens: &[SubjectToken]) -> Result<Vec<Candidate>, ExchangeRefusal> {
        let policies = rules.policies(&self.username).iter();
        Ok(policies.filter_map(|policy| Candidate::new(rules, policy, tokens)).collect())
    }

    async fn check(
        &self,
        attempt: &mut Attempt<'_>,
        candidate: &Candidate,
        token: &SubjectToken,
    ) -> Result<Result<Accepted, Mismatch>, NotExchanged> {
        let policy: &CompiledTrustPolicy = candidate.compiled()?;
        let (claims, now) = (token.verified.claims().all(), attempt.now);
        let row = &candidate.entitlement.row;
        Ok(attempt.check_criteria(candidate, &policy.criteria, token, |criteria| {
            criteria.evaluate(&row.name, claims, row.pin_until, now)
        }))
    }

    fn no_entitlement(&self, _tokens: &[SubjectToken]) -> ExchangeRefusal {
        ExchangeRefusal::NoEntitlement { what: "trust policy", asked: self.username.clone() }
    }
}

#[async_trait]
impl IssuingFlow for Nuget {
    async fn offer(&self, attempt: &mut Attempt<'_>, decision: &ExchangeDecision) -> Result<Offer, NotExchanged> {
        let policy: &CompiledTrustPolicy = decision.compiled()?;
        Ok(Offer {
            name: format!("Trusted publishing: {}", policy.spec.name),
            owner: Some(policy.spec.owner.clone()),
            scopes: policy.scopes.clone(),
            packages: policy.packages.clone(),
            audience: attempt.exchange.settings.nuget_audience.clone(),
            lifetime: Lifetime::Fixed(policy.valid_for),
            outlives_build: false,
            single_use: true,
            form: Form::Key,
        })
    }
}

/// Returns the name of the claim that identifies the token, which depends on the kind of the token's provider.
fn id_claim(token: &SubjectToken) -> &'static str {
    token.verified.provider().token_id()
}
