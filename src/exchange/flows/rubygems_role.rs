//! Flow of RubyGems' roles: the URL names the role, and the role's statements decide whether the role accepts the
//! token.

use std::sync::Arc;

use async_trait::async_trait;

use super::rubygems::{NAME, RUBYGEMS_CLAIMS};
use crate::exchange::entitlements::{CompiledRole, ProviderEntry, RulesSnapshot, SharedEntitlement};
use crate::exchange::exchange::Exchange;
use crate::exchange::flow::{
    Accepted, Attempt, Candidate, DecidedBy, EntitlementFlow, ExchangeDecision, Flow, FlowAudience, Form, IssuingFlow,
    Lifetime, Mismatch, Offer,
};
use crate::exchange::refusal::{ExchangeRefusal, NotExchanged};
use crate::exchange::settings::ExchangeSettings;
use crate::exchange::subject_token::SubjectToken;
use crate::verifier::{Check, ClaimForm, Provider};

/// Flow that exchanges a token for a key of a RubyGems role.
#[derive(Debug, Clone)]
pub struct RubygemsRole {
    /// Id of the role from the URL, which rubygems.org calls the role's token.
    pub role: String,
}

impl RubygemsRole {
    fn unknown(&self) -> ExchangeRefusal {
        ExchangeRefusal::NoEntitlement { what: "role", asked: self.role.clone() }
    }

    fn find<'a>(
        &self,
        rules: &'a RulesSnapshot,
    ) -> Result<(&'a SharedEntitlement, &'a Arc<ProviderEntry>), ExchangeRefusal> {
        let role = rules.role(&self.role).ok_or_else(|| self.unknown())?;
        let entry = rules.entry(&role.row.provider).ok_or_else(|| self.unknown())?;
        Ok((role, entry))
    }
}

impl Exchange {
    /// Refuses a request for a role that does not exist. Checks only the role in the URL, before the token is read.
    ///
    /// # Errors
    /// [`NotExchanged`] if the role does not exist, or the rules cannot be read.
    pub(crate) async fn check_role(&self, flow: &RubygemsRole) -> Result<(), NotExchanged> {
        let rules = self.parts.rules_cache.current().await?;
        let Err(refusal) = flow.find(&rules) else { return Ok(()) };
        self.parts.metrics.exchange_refused(flow.name(), refusal.reason());
        self.log_sample(flow.name(), refusal.reason());
        Err(refusal.into())
    }
}

#[async_trait]
impl Flow for RubygemsRole {
    fn name(&self) -> &'static str {
        NAME
    }

    /// Requires no audience at verification. `EntitlementFlow::check` later compares the token's audience: with the
    /// audience that the deciding statement names, or else with the setting `rubygems_host`.
    fn audience<'a>(
        &'a self,
        _rules: &'a RulesSnapshot,
        _settings: &'a ExchangeSettings,
        _provider: &'a Provider,
    ) -> Result<FlowAudience<'a>, NotExchanged> {
        Ok(FlowAudience::ComparedLater)
    }

    fn decided_by(&self) -> DecidedBy<'_> {
        DecidedBy::Entitlements(self)
    }

    fn typed_claims(&self) -> &'static [(&'static str, ClaimForm)] {
        &RUBYGEMS_CLAIMS
    }

    /// Returns only the role's provider, whatever issuer the token names.
    fn providers(&self, attempt: &Attempt<'_>) -> Result<Vec<Arc<ProviderEntry>>, NotExchanged> {
        let (role, entry) = self.find(attempt.rules)?;
        role.usable(entry.provider())?;
        Ok(vec![Arc::clone(entry)])
    }
}

#[async_trait]
impl EntitlementFlow for RubygemsRole {
    fn candidates(&self, rules: &RulesSnapshot, tokens: &[SubjectToken]) -> Result<Vec<Candidate>, ExchangeRefusal> {
        let (role, _) = self.find(rules)?;
        Ok(Candidate::new(rules, role, tokens).into_iter().collect())
    }

    async fn check(
        &self,
        attempt: &mut Attempt<'_>,
        candidate: &Candidate,
        token: &SubjectToken,
    ) -> Result<Result<Accepted, Mismatch>, NotExchanged> {
        let role: &CompiledRole = candidate.compiled()?;
        let claims = token.verified.claims().all();
        if !attempt.trail.is_silent() {
            for found in role.statements.explain(claims) {
                let text = || (format!("statement {}: {}", found.statement, found.expected), found.actual.clone());
                if found.holds {
                    attempt.trail.passed(Check::Policy, text);
                } else {
                    attempt.trail.failed(Check::Policy, text);
                }
            }
        }
        let statement = role.statements.evaluate(claims).map_err(ExchangeRefusal::Statements)?;
        // A statement that names an audience has compared that audience; for all other statements the default applies.
        let expected = &attempt.exchange.settings.rubygems_host;
        if role.statements.audiences(statement).next().is_none() && token.audience() != expected {
            let (expected, actual) = (expected.clone(), token.audience().to_owned());
            return Err(ExchangeRefusal::Audience { expected, actual }.into());
        }
        Ok(Ok(Accepted::default()))
    }

    fn no_entitlement(&self, _tokens: &[SubjectToken]) -> ExchangeRefusal {
        self.unknown()
    }
}

#[async_trait]
impl IssuingFlow for RubygemsRole {
    async fn offer(&self, _attempt: &mut Attempt<'_>, decision: &ExchangeDecision) -> Result<Offer, NotExchanged> {
        let role: &CompiledRole = decision.compiled()?;
        let token = &decision.subject_token;
        let jti = token.verified.claims().text("jti").unwrap_or_default();
        Ok(Offer {
            name: format!("{}-{jti}", role.spec.name),
            owner: Some(role.spec.user.clone()),
            scopes: role.spec.permissions.scopes.clone(),
            packages: vec![role.gem.clone().unwrap_or_else(|| "*".to_owned())],
            audience: token.audience().to_owned(),
            lifetime: Lifetime::Fixed(role.valid_for),
            outlives_build: role.spec.outlives_build,
            single_use: true,
            form: Form::Key,
        })
    }
}
