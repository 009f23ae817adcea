//! Checks of a token that several flows share: a grant's condition, and the criteria of trust policies and trusted
//! publishers.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::entitlements::{CompiledGrant, SharedEntitlement};
use super::exchange::Exchange;
use super::flow::{Accepted, Attempt, Candidate, Mismatch};
use super::refusal::{ExchangeError, NotExchanged};
use super::subject_token::SubjectToken;
use crate::keyring::WorkOf;
use crate::policy::{CelFailure, Criteria, GrantRequest, Matched, RulePart, Unmatched};
use crate::verifier::{Check, Provider, Trail};

/// Claims of a verified token, and the name of the provider that verified the token. A grant's condition is evaluated
/// on both.
pub(super) struct ExchangeSubject {
    pub(super) provider: String,
    pub(super) claims: Map<String, Value>,
}

impl ExchangeSubject {
    pub(super) fn of(token: &SubjectToken) -> Self {
        let provider = token.verified.provider_name().to_owned();
        Self { provider, claims: token.verified.claims().all().clone() }
    }
}

impl Attempt<'_> {
    /// Evaluates the condition of a grant, its CEL expression `when`, for the token's claims and the request.
    pub(super) async fn check_condition(
        &mut self,
        candidate: &Candidate,
        token: &SubjectToken,
        request: Value,
    ) -> Result<Result<Accepted, Mismatch>, NotExchanged> {
        let (grant, provider) = (&candidate.entitlement, candidate.entry.provider());
        let holds =
            self.exchange.condition_holds((grant, provider), ExchangeSubject::of(token), request, self.trail).await?;
        Ok(match holds {
            Ok(true) => Ok(Accepted::default()),
            Ok(false) => Err(Mismatch::Condition(None)),
            Err(failure) => Err(Mismatch::Condition(Some(failure))),
        })
    }

    /// Checks a token against the criteria and the pinned ids of an entitlement. For a token of our own issuer,
    /// compares the criteria with the facts of the token's build. For every other token, `by_claims` compares the
    /// criteria with the token's claims.
    pub(super) fn check_criteria(
        &self,
        candidate: &Candidate,
        criteria: &Criteria,
        token: &SubjectToken,
        by_claims: impl FnOnce(&Criteria) -> Result<Matched, Unmatched>,
    ) -> Result<Accepted, Mismatch> {
        let row = &candidate.entitlement.row;
        let criteria = criteria.clone().with_pins(&row.pins);
        let matched = match (&criteria, token.build_facts()) {
            (Criteria::Build(build), Some(facts)) => {
                build.evaluate(&row.name, &facts).and_then(|pins| pins.into_match(&row.name, row.pin_until, self.now))
            }
            _ => by_claims(&criteria),
        };
        matched.map(|matched| Accepted { pins: matched.pins }).map_err(Mismatch::Criteria)
    }
}

impl Exchange {
    /// Returns whether a grant's condition holds. A thread of the signing pool evaluates the condition, so that a slow
    /// condition does not block other requests.
    pub(super) async fn condition_holds(
        &self,
        (grant, provider): (&SharedEntitlement, &Provider),
        subject: ExchangeSubject,
        request: Value,
        trail: &mut Trail,
    ) -> Result<Result<bool, CelFailure>, NotExchanged> {
        let key = WorkOf::subject(&subject.provider, subject.claims.get("sub").and_then(Value::as_str));
        let (grant, provider, explained) = (Arc::clone(grant), provider.clone(), !trail.is_silent());
        let evaluated = self.parts.pool.run(key, move || {
            let compiled =
                grant.compiled(&provider).ok().and_then(|compiled| <&CompiledGrant>::try_from(compiled).ok());
            let Some(compiled) = compiled else { return (Ok(false), Vec::new()) };
            let none = Map::new();
            let request = request.as_object().unwrap_or(&none);
            let request = GrantRequest { provider: &subject.provider, claims: &subject.claims, request };
            let parts = if explained { compiled.condition.explain(&request) } else { Vec::new() };
            (compiled.condition.holds(&request), parts)
        });
        let (holds, parts) = evaluated.await.map_err(ExchangeError::from)?;
        for part in &parts {
            note_part(trail, part.text.clone(), part);
        }
        Ok(holds)
    }
}

/// Records one part of a condition or rule in `trail`: as a passed check if the part is true, else as a failed check.
pub(super) fn note_part(trail: &mut Trail, expected: String, part: &RulePart) {
    let text = || (expected, part.found());
    if part.answer == Ok(true) { trail.passed(Check::Policy, text) } else { trail.failed(Check::Policy, text) }
}
