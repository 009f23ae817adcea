//! RubyGems' trusted publishers: found by what the token says, the one for its environment before one for any.

use std::sync::Arc;

use super::{Judgement, Offer, RUBYGEMS_CLAIMS, enabled_user, judge_criteria, terms, took};
use crate::base::{Moment, Seconds, Secret};
use crate::exchange::presented::Presented;
use crate::exchange::rule_book::RuleBook;
use crate::exchange::terms::{PublisherTerms, SharedEntitlement, Terms};
use crate::exchange::{Declined, Exchange, Refusal, WrittenPublisher};
use crate::policy::{Criteria, Matched, Unmatched, workflow_file};
use crate::store::DoorKind;
use crate::verifier::{Demand, Trail};

/// How long a publisher's key lives.
const LIFETIME: Seconds = Seconds::new(900);

/// A publisher that takes the token.
struct Found<'a> {
    entitlement: &'a SharedEntitlement,
    terms: &'a PublisherTerms,
    matched: Matched,
}

impl Exchange {
    pub(super) async fn judge_publisher(
        &self,
        book: &RuleBook,
        token: &Secret<String>,
        now: Moment,
        trail: &mut Trail,
    ) -> Result<Judgement, Declined> {
        let demand = Demand {
            audience: Some(&self.settings.rubygems_host),
            instead_of_providers: true,
            typed: &RUBYGEMS_CLAIMS,
            ..Demand::default()
        };
        let mut presented = self.present_to_any(book, token, &demand, now, trail).await?;
        let (at, found, alike) = find(book, &presented, now)?;
        let mut gems: Vec<String> = vec![found.terms.written.gem.clone()];
        gems.extend(alike.iter().map(|other| other.terms.written.gem.clone()));
        gems.sort();
        gems.dedup();
        let also = alike.iter().map(|other| Arc::clone(other.entitlement)).collect();
        let first = &found.terms.written;
        enabled_user(book, &first.user)?;
        took(trail, "trusted publisher", &found.entitlement.row.name);
        let entitlement = Arc::clone(found.entitlement);
        let learned = found.matched.learned.clone();
        let user = first.user.clone();
        let presented = presented.swap_remove(at);
        let entry = book.entry(&entitlement.row.provider).map(Arc::clone).ok_or_else(none)?;
        let offer = Offer {
            door: DoorKind::Rubygems,
            jwt: false,
            name: key_name(&presented),
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
        Ok(Judgement { presented, entry, entitlement: Some(entitlement), also, learned, offer })
    }
}

fn none() -> Refusal {
    Refusal::NoEntitlement { what: "trusted publisher", asked: "by what the token says".to_owned() }
}

/// Which of the presented tokens, by which publisher, and all others that are alike in user, provider and criteria: they
/// are one publisher.
fn find<'a>(
    book: &'a RuleBook,
    presented: &[Presented],
    now: Moment,
) -> Result<(usize, Found<'a>, Vec<Found<'a>>), Refusal> {
    let mut unmatched: Vec<(String, Unmatched)> = Vec::new();
    let mut untrusted = false;
    let mut found: Vec<(usize, Found<'a>)> = Vec::new();
    for entitlement in book.publishers() {
        let provider = &entitlement.row.provider;
        let Some(at) = presented.iter().position(|one| one.verified.provider_name() == provider) else { continue };
        let (Some(one), Some(entry)) = (presented.get(at), book.entry(provider)) else { continue };
        let Ok(Terms::Publisher(terms)) = terms(entitlement, entry) else { continue };
        match judge(entitlement, terms, one, now) {
            Err(why) => unmatched.push((entitlement.row.name.clone(), why)),
            Ok(_) if one.is_untrusted() && !terms.written.allow_untrusted => untrusted = true,
            Ok(matched) => found.push((at, Found { entitlement, terms, matched })),
        }
    }
    // Their order is that of their places, and a stable sort keeps it.
    found.sort_by_key(|(_, found)| found.terms.criteria.environment().is_none());
    let alike = |one: &WrittenPublisher, other: &WrittenPublisher| {
        (&one.user, &one.provider, &one.criteria) == (&other.user, &other.provider, &other.criteria)
    };
    let mut found = found.into_iter();
    match found.next() {
        Some((at, first)) => {
            let others = found.map(|(_, other)| other);
            let same = others.filter(|other| alike(&other.terms.written, &first.terms.written)).collect();
            Ok((at, first, same))
        }
        None if untrusted => Err(Refusal::Untrusted),
        None if unmatched.is_empty() => Err(none()),
        None => Err(Refusal::Criteria(unmatched)),
    }
}

fn judge(
    entitlement: &SharedEntitlement,
    terms: &PublisherTerms,
    presented: &Presented,
    now: Moment,
) -> Result<Matched, Unmatched> {
    let (row, claims) = (&entitlement.row, presented.verified.claims().all());
    let by_claims = |criteria: &Criteria| match criteria {
        // As RubyGems judges: the workflow's file must have been read where the run is.
        Criteria::Github(github) => github.judge_publisher(&row.name, claims)?.within(&row.name, row.learn_until, now),
        other => other.judge(&row.name, claims, row.learn_until, now),
    };
    judge_criteria(entitlement, &terms.criteria, presented, by_claims, now)
}

/// What people call the key: whose build it is of, and when its token was issued.
fn key_name(presented: &Presented) -> String {
    let claims = presented.verified.claims();
    let text = |claim: &str| claims.text(claim).unwrap_or_default();
    let issued = claims.issued();
    let (whose, repository, workflow, environment) = match presented.build_facts() {
        Some(facts) => {
            let repository = format!("{}/{}", facts.org.unwrap_or_default(), facts.repo.unwrap_or_default());
            ("buildpass", repository, facts.workflow.unwrap_or_default().to_owned(), facts.environment)
        }
        None => {
            let file = workflow_file(text("job_workflow_ref")).unwrap_or_default();
            let workflow = format!(".github/workflows/{file}");
            match presented.verified.provider().kind() {
                "github" => ("GitHub Actions", text("repository").to_owned(), workflow, claims.text("environment")),
                other => (other, presented.subject().to_owned(), String::new(), claims.text("environment")),
            }
        }
    };
    let workflow = if workflow.is_empty() { String::new() } else { format!(" @ {workflow}") };
    let environment = environment.map(|environment| format!(" ({environment})")).unwrap_or_default();
    format!("{whose} {repository}{workflow}{environment} {issued}")
}
