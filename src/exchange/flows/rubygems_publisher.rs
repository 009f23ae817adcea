//! RubyGems' trusted publishers: found by what the token says, the one for its environment before one for any.

use std::sync::Arc;

use super::{Judgement, Offer, RUBYGEMS_CLAIMS, compiled, enabled_user, judge_criteria, took};
use crate::base::{Moment, Seconds, Secret};
use crate::exchange::entitlements::RulesSnapshot;
use crate::exchange::entitlements::{Compiled, CompiledPublisher, SharedEntitlement};
use crate::exchange::subject_token::SubjectToken;
use crate::exchange::{Exchange, ExchangeRefusal, NotExchanged, PublisherSpec};
use crate::policy::{Criteria, Matched, Unmatched, workflow_file};
use crate::verifier::{Requirements, Trail};

/// How long a publisher's key lives.
const LIFETIME: Seconds = Seconds::new(900);

/// A publisher that takes the token.
struct Found<'a> {
    entitlement: &'a SharedEntitlement,
    compiled: &'a CompiledPublisher,
    matched: Matched,
}

impl Exchange {
    pub(super) async fn judge_publisher(
        &self,
        snapshot: &RulesSnapshot,
        token: &Secret<String>,
        now: Moment,
        trail: &mut Trail,
    ) -> Result<Judgement, NotExchanged> {
        let requirements = Requirements {
            audience: Some(&self.settings.rubygems_host),
            instead_of_providers: true,
            typed: &RUBYGEMS_CLAIMS,
            ..Requirements::default()
        };
        let mut subject_token = self.verify_by_any(snapshot, token, &requirements, now, trail).await?;
        let (at, found, alike) = find(snapshot, &subject_token, now)?;
        let mut gems: Vec<String> = vec![found.compiled.spec.gem.clone()];
        gems.extend(alike.iter().map(|other| other.compiled.spec.gem.clone()));
        gems.sort();
        gems.dedup();
        let also = alike.iter().map(|other| Arc::clone(other.entitlement)).collect();
        let first = &found.compiled.spec;
        enabled_user(snapshot, &first.user)?;
        took(trail, "trusted publisher", &found.entitlement.row.name);
        let entitlement = Arc::clone(found.entitlement);
        let pins = found.matched.pins.clone();
        let user = first.user.clone();
        let subject_token = subject_token.swap_remove(at);
        let entry = snapshot.entry(&entitlement.row.provider).map(Arc::clone).ok_or_else(none)?;
        let offer = Offer {
            flow: super::flow_names::RUBYGEMS,
            jwt: false,
            name: key_name(&subject_token),
            owner: Some(user),
            scopes: vec!["push_rubygem".to_owned()],
            gem: match gems.as_slice() {
                [one] => Some(one.clone()),
                _ => None,
            },
            packages: gems,
            audience: self.settings.rubygems_host.clone(),
            lifetime: LIFETIME,
            ends_with_token: false,
            outlives_build: false,
            single_use: true,
            access: None,
        };
        Ok(Judgement { subject_token, entry, entitlement: Some(entitlement), also, pins, offer })
    }
}

fn none() -> ExchangeRefusal {
    ExchangeRefusal::NoEntitlement { what: "trusted publisher", asked: "by what the token says".to_owned() }
}

/// Which of the presented tokens, by which publisher, and all others that are alike in user, provider and criteria: they
/// are one publisher.
fn find<'a>(
    snapshot: &'a RulesSnapshot,
    subject_token: &[SubjectToken],
    now: Moment,
) -> Result<(usize, Found<'a>, Vec<Found<'a>>), ExchangeRefusal> {
    let mut unmatched: Vec<(String, Unmatched)> = Vec::new();
    let mut untrusted = false;
    let mut found: Vec<(usize, Found<'a>)> = Vec::new();
    for entitlement in snapshot.publishers() {
        let provider = &entitlement.row.provider;
        let Some(at) = subject_token.iter().position(|one| one.verified.provider_name() == provider) else { continue };
        let (Some(one), Some(entry)) = (subject_token.get(at), snapshot.entry(provider)) else { continue };
        let Ok(Compiled::Publisher(compiled)) = compiled(entitlement, entry) else { continue };
        match judge(entitlement, compiled, one, now) {
            Err(why) => unmatched.push((entitlement.row.name.clone(), why)),
            Ok(_) if one.is_untrusted() && !compiled.spec.allow_untrusted => untrusted = true,
            Ok(matched) => found.push((at, Found { entitlement, compiled, matched })),
        }
    }
    // Their order is that of their places, and a stable sort keeps it.
    found.sort_by_key(|(_, found)| found.compiled.criteria.environment().is_none());
    let alike = |one: &PublisherSpec, other: &PublisherSpec| {
        (&one.user, &one.provider, &one.criteria) == (&other.user, &other.provider, &other.criteria)
    };
    let mut found = found.into_iter();
    match found.next() {
        Some((at, first)) => {
            let others = found.map(|(_, other)| other);
            let same = others.filter(|other| alike(&other.compiled.spec, &first.compiled.spec)).collect();
            Ok((at, first, same))
        }
        None if untrusted => Err(ExchangeRefusal::Untrusted),
        None if unmatched.is_empty() => Err(none()),
        None => Err(ExchangeRefusal::Criteria(unmatched)),
    }
}

fn judge(
    entitlement: &SharedEntitlement,
    compiled: &CompiledPublisher,
    subject_token: &SubjectToken,
    now: Moment,
) -> Result<Matched, Unmatched> {
    let (row, claims) = (&entitlement.row, subject_token.verified.claims().all());
    let by_claims = |criteria: &Criteria| match criteria {
        // As RubyGems judges: the workflow's file must have been read where the run is.
        Criteria::Github(github) => {
            github.evaluate_publisher(&row.name, claims)?.into_match(&row.name, row.pin_until, now)
        }
        other => other.evaluate(&row.name, claims, row.pin_until, now),
    };
    judge_criteria(entitlement, &compiled.criteria, subject_token, by_claims, now)
}

/// What people call the key: whose build it is of, and when its token was issued.
fn key_name(subject_token: &SubjectToken) -> String {
    let claims = subject_token.verified.claims();
    let text = |claim: &str| claims.text(claim).unwrap_or_default();
    let issued = claims.issued();
    let (whose, repository, workflow, environment) = match subject_token.build_facts() {
        Some(facts) => {
            let repository = format!("{}/{}", facts.org.unwrap_or_default(), facts.repo.unwrap_or_default());
            ("buildpass", repository, facts.workflow.unwrap_or_default().to_owned(), facts.environment)
        }
        None => {
            let file = workflow_file(text("job_workflow_ref")).unwrap_or_default();
            let workflow = format!(".github/workflows/{file}");
            match subject_token.verified.provider().kind() {
                "github" => ("GitHub Actions", text("repository").to_owned(), workflow, claims.text("environment")),
                other => (other, subject_token.subject().to_owned(), String::new(), claims.text("environment")),
            }
        }
    };
    let workflow = if workflow.is_empty() { String::new() } else { format!(" @ {workflow}") };
    let environment = environment.map(|environment| format!(" ({environment})")).unwrap_or_default();
    format!("{whose} {repository}{workflow}{environment} {issued}")
}
