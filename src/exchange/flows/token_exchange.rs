//! The token endpoint (RFC 8693): of the grants for the token's audience the first whose condition holds decides.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Judgement, Offer, note_part, terms, took};
use crate::base::{Moment, Secret};
use crate::exchange::presented::Presented;
use crate::exchange::rule_book::{Entry, RuleBook};
use crate::exchange::terms::{GrantTerms, SharedEntitlement, Terms};
use crate::exchange::{Declined, Error, Exchange, Refusal};
use crate::policy::{CelFailure, GrantAsk, RulePart};
use crate::store::DoorKind;
use crate::verifier::{Demand, Trail};

/// The kind of token that a client asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RequestedToken {
    /// Whatever the grant gives.
    #[default]
    Any,
    /// A JWT and nothing else.
    Jwt,
    /// Something that is never given.
    Other(String),
}

/// What is asked for at the token endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GrantAskedFor {
    /// The audience, or the resource; none: the token's own. More than one is one too many.
    pub audiences: Vec<String>,
    /// The scopes; absent: the grant's.
    pub scopes: Option<Vec<String>>,
    /// The kind of token.
    pub requested: RequestedToken,
}

impl Exchange {
    pub(super) async fn judge_grant(
        &self,
        book: &RuleBook,
        asked: &GrantAskedFor,
        token: &Secret<String>,
        now: Moment,
        trail: &mut Trail,
    ) -> Result<Judgement, Declined> {
        // The token is judged first: who holds none that is good learns nothing of audiences.
        let demand = Demand { instead_of_providers: true, ..Demand::default() };
        let mut presented = self.present_to_any(book, token, &demand, now, trail).await?;
        let audience = presented.first().map(|one| one.audience().to_owned()).unwrap_or_default();
        let target = |asked: &str| Refusal::Target { asked: asked.to_owned(), token: audience.clone() };
        if asked.audiences.len() > 1 || asked.audiences.iter().any(|asked| *asked != audience) {
            return Err(target(&asked.audiences.join(" and ")).into());
        }
        let mut missed = Vec::new();
        let mut untrusted = false;
        for (grant, at) in candidates(book, &presented, &audience) {
            let (Some(one), Some(entry)) = (presented.get(at), book.entry(&grant.row.provider)) else { continue };
            let Ok(Terms::Grant(terms)) = terms(grant, entry) else { continue };
            if one.is_untrusted() && !terms.written.allow_untrusted {
                untrusted = true;
                continue;
            }
            let request = match &asked.scopes {
                Some(scopes) => json!({ "audience": audience, "scopes": scopes }),
                None => json!({ "audience": audience }),
            };
            match self.condition_holds(grant, entry, one, request, trail).await? {
                Ok(true) => {}
                Ok(false) => {
                    missed.push((grant.row.name.clone(), None));
                    continue;
                }
                Err(failure) => {
                    missed.push((grant.row.name.clone(), Some(failure)));
                    continue;
                }
            }
            took(trail, "grant", &grant.row.name);
            let offer = self.grant_offer(terms, asked)?;
            let (entry, entitlement) = (Arc::clone(entry), Arc::clone(grant));
            let presented = presented.swap_remove(at);
            return Ok(Judgement {
                presented,
                entry,
                entitlement: Some(entitlement),
                also: Vec::new(),
                learned: None,
                offer,
            });
        }
        Err(match (untrusted, missed.is_empty()) {
            (false, true) => target(&audience),
            (true, true) => Refusal::Untrusted,
            (_, false) => Refusal::Condition(missed),
        }
        .into())
    }

    /// Does the grant's condition hold? Evaluated where nothing else waits for it.
    pub(super) async fn condition_holds(
        &self,
        grant: &SharedEntitlement,
        entry: &Arc<Entry>,
        presented: &Presented,
        request: Value,
        trail: &mut Trail,
    ) -> Result<Result<bool, CelFailure>, Declined> {
        let provider = presented.verified.provider_name().to_owned();
        let claims = presented.verified.claims().all().clone();
        self.condition_holds_of(grant, entry, (provider, claims), request, trail).await
    }

    /// The same of claims that were kept.
    pub(super) async fn condition_holds_of(
        &self,
        grant: &SharedEntitlement,
        entry: &Arc<Entry>,
        (provider, claims): (String, Map<String, Value>),
        request: Value,
        trail: &mut Trail,
    ) -> Result<Result<bool, CelFailure>, Declined> {
        let (grant, entry, explained) = (Arc::clone(grant), Arc::clone(entry), !trail.is_silent());
        let evaluated = self.parts.pool.run(move || {
            let Ok(Terms::Grant(terms)) = grant.terms(entry.provider()) else { return (Ok(false), Vec::new()) };
            let none = Map::new();
            let request = request.as_object().unwrap_or(&none);
            let ask = GrantAsk { provider: &provider, claims: &claims, request };
            let parts = if explained { terms.condition.explain(&ask) } else { Vec::new() };
            (terms.condition.holds(&ask), parts)
        });
        let (answer, parts): (Result<bool, CelFailure>, Vec<RulePart>) = evaluated.await.map_err(Error::from)?;
        for part in parts {
            note_part(trail, part.text.clone(), &part);
        }
        Ok(answer)
    }

    fn grant_offer(&self, terms: &GrantTerms, asked: &GrantAskedFor) -> Result<Offer, Refusal> {
        let jwt = terms.gives_jwt();
        match &asked.requested {
            RequestedToken::Jwt if !jwt => return Err(Refusal::TokenType { asked: "jwt".to_owned() }),
            RequestedToken::Other(other) => return Err(Refusal::TokenType { asked: other.clone() }),
            RequestedToken::Any | RequestedToken::Jwt => {}
        }
        let written = &terms.written;
        let beyond = |scope: &&String| !written.scopes.contains(scope);
        if let Some(asked) = asked.scopes.iter().flatten().find(beyond) {
            return Err(Refusal::Scope { asked: asked.clone(), allowed: written.scopes.clone() });
        }
        let mut scopes = asked.scopes.clone().unwrap_or_else(|| written.scopes.clone());
        scopes.sort();
        scopes.dedup();
        let lifetime = if jwt { terms.valid_for.min(self.settings.max_lifetime) } else { terms.valid_for };
        Ok(Offer {
            door: DoorKind::Grant,
            jwt,
            name: written.name.clone(),
            owner: None,
            scopes,
            packages: terms.packages.clone(),
            audience: written.audience.clone(),
            lifetime,
            ends_with_token: false,
            outlives_build: written.outlives_build,
            single_use: terms.is_single_use(),
            gem: None,
            access: None,
        })
    }
}

/// The grants for this audience, in their order, each with the token that its provider took.
fn candidates<'a>(book: &'a RuleBook, presented: &[Presented], audience: &str) -> Vec<(&'a SharedEntitlement, usize)> {
    let fits = |grant: &'a SharedEntitlement| {
        let entry = book.entry(&grant.row.provider)?;
        let Ok(Terms::Grant(terms)) = terms(grant, entry) else { return None };
        let at = presented.iter().position(|one| one.verified.provider_name() == grant.row.provider)?;
        (terms.written.audience == audience).then_some((grant, at))
    };
    book.grants().iter().filter_map(fits).collect()
}
