//! Flow of RubyGems' trusted publishers: the claims of the token select the publisher. A publisher for the token's
//! environment is preferred to a publisher for any environment.

use async_trait::async_trait;

use super::rubygems::{NAME, RUBYGEMS_CLAIMS};
use crate::base::Seconds;
use crate::exchange::entitlements::{CompiledPublisher, RulesSnapshot};
use crate::exchange::flow::{
    Accepted, Attempt, Candidate, DecidedBy, EntitlementFlow, ExchangeDecision, Flow, FlowAudience, Form, IssuingFlow,
    Lifetime, Mismatch, Offer,
};
use crate::exchange::refusal::{ExchangeRefusal, NotExchanged};
use crate::exchange::settings::ExchangeSettings;
use crate::exchange::subject_token::SubjectToken;
use crate::policy::{Criteria, workflow_file};
use crate::verifier::{ClaimForm, Provider};

/// Lifetime of a trusted publisher's key, the same as at rubygems.org.
const LIFETIME: Seconds = Seconds::new(900);

/// Flow that exchanges a token for a key of the trusted publishers that accept the token.
#[derive(Debug, Clone, Copy, Default)]
pub struct RubygemsPublisher;

#[async_trait]
impl Flow for RubygemsPublisher {
    fn name(&self) -> &'static str {
        NAME
    }

    fn audience<'a>(
        &'a self,
        _rules: &'a RulesSnapshot,
        settings: &'a ExchangeSettings,
        _provider: &'a Provider,
    ) -> Result<FlowAudience<'a>, NotExchanged> {
        Ok(FlowAudience::Required(&settings.rubygems_host))
    }

    fn decided_by(&self) -> DecidedBy<'_> {
        DecidedBy::Entitlements(self)
    }

    fn typed_claims(&self) -> &'static [(&'static str, ClaimForm)] {
        &RUBYGEMS_CLAIMS
    }
}

#[async_trait]
impl EntitlementFlow for RubygemsPublisher {
    fn candidates(&self, rules: &RulesSnapshot, tokens: &[SubjectToken]) -> Result<Vec<Candidate>, ExchangeRefusal> {
        let publishers = rules.publishers().iter();
        let mut found: Vec<Candidate> =
            publishers.filter_map(|publisher| Candidate::new(rules, publisher, tokens)).collect();
        // The sort is stable: publishers with, and publishers without, an environment keep the order of the rules.
        found.sort_by_key(|candidate| {
            let compiled: Result<&CompiledPublisher, _> = candidate.compiled();
            compiled.is_ok_and(|publisher| publisher.criteria.environment().is_none())
        });
        Ok(found)
    }

    async fn check(
        &self,
        attempt: &mut Attempt<'_>,
        candidate: &Candidate,
        token: &SubjectToken,
    ) -> Result<Result<Accepted, Mismatch>, NotExchanged> {
        let publisher: &CompiledPublisher = candidate.compiled()?;
        let (claims, now) = (token.verified.claims().all(), attempt.now);
        let row = &candidate.entitlement.row;
        Ok(attempt.check_criteria(candidate, &publisher.criteria, token, |criteria| match criteria {
            // RubyGems requires the workflow file to be in the repository that runs it.
            Criteria::Github(github) => {
                github.evaluate_publisher(&row.name, claims)?.into_match(&row.name, row.pin_until, now)
            }
            other => other.evaluate(&row.name, claims, row.pin_until, now),
        }))
    }

    /// Whether two publishers have the same user, provider and criteria: such publishers act as one with several gems.
    fn joins(&self, first: &Candidate, other: &Candidate) -> bool {
        let (Ok(first), Ok(other)) = (first.compiled::<CompiledPublisher>(), other.compiled::<CompiledPublisher>())
        else {
            return false;
        };
        let (first, other) = (&first.spec, &other.spec);
        (&first.user, &first.provider, &first.criteria) == (&other.user, &other.provider, &other.criteria)
    }

    fn no_entitlement(&self, _tokens: &[SubjectToken]) -> ExchangeRefusal {
        ExchangeRefusal::NoEntitlement { what: "trusted publisher", asked: "by the token's claims".to_owned() }
    }
}

#[async_trait]
impl IssuingFlow for RubygemsPublisher {
    async fn offer(&self, attempt: &mut Attempt<'_>, decision: &ExchangeDecision) -> Result<Offer, NotExchanged> {
        let publisher: &CompiledPublisher = decision.compiled()?;
        let mut gems = vec![publisher.spec.gem.clone()];
        gems.extend(decision.compiled_joined::<CompiledPublisher>()?.iter().map(|joined| joined.spec.gem.clone()));
        gems.sort();
        gems.dedup();
        Ok(Offer {
            name: key_name(&decision.subject_token),
            owner: Some(publisher.spec.user.clone()),
            scopes: vec!["push_rubygem".to_owned()],
            packages: gems,
            audience: attempt.exchange.settings.rubygems_host.clone(),
            lifetime: Lifetime::Fixed(LIFETIME),
            outlives_build: false,
            single_use: true,
            form: Form::Key,
        })
    }
}

/// Returns the display name of the key: CI system, repository, workflow, environment, and when the token was issued.
fn key_name(token: &SubjectToken) -> String {
    let claims = token.verified.claims();
    let text = |claim: &str| claims.text(claim).unwrap_or_default();
    let issued = claims.issued();
    let (system, repository, workflow, environment) = match token.build_facts() {
        Some(facts) => {
            let repository = format!("{}/{}", facts.org.unwrap_or_default(), facts.repo.unwrap_or_default());
            ("buildpass", repository, facts.workflow.unwrap_or_default().to_owned(), facts.environment)
        }
        None => {
            let file = workflow_file(text("job_workflow_ref")).unwrap_or_default();
            let workflow = format!(".github/workflows/{file}");
            match token.verified.provider().kind() {
                "github" => ("GitHub Actions", text("repository").to_owned(), workflow, claims.text("environment")),
                other => (other, token.subject().to_owned(), String::new(), claims.text("environment")),
            }
        }
    };
    let workflow = if workflow.is_empty() { String::new() } else { format!(" @ {workflow}") };
    let environment = environment.map(|environment| format!(" ({environment})")).unwrap_or_default();
    format!("{system} {repository}{workflow}{environment} {issued}")
}
