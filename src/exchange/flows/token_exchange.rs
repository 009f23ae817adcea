//! The token endpoint (RFC 8693): of the grants for the token's audience the first whose condition holds decides.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Judgement, Offer, compiled, note_part, took};
use crate::base::{Moment, Secret};
use crate::exchange::entitlements::{Compiled, CompiledGrant, SharedEntitlement};
use crate::exchange::entitlements::{ProviderEntry, RulesSnapshot};
use crate::exchange::subject_token::SubjectToken;
use crate::exchange::{Exchange, ExchangeError, ExchangeRefusal, NotExchanged};
use crate::policy::{CelFailure, GrantRequest, RulePart};
use crate::verifier::{Requirements, Trail};

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
pub struct TokenExchangeRequest {
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
        snapshot: &RulesSnapshot,
        asked: &TokenExchangeRequest,
        token: &Secret<String>,
        now: Moment,
        trail: &mut Trail,
    ) -> Result<Judgement, NotExchanged> {
        // The token is judged first: who holds none that is good learns nothing of audiences.
        let requirements = Requirements { instead_of_providers: true, ..Requirements::default() };
        let mut subject_token = self.verify_by_any(snapshot, token, &requirements, now, trail).await?;
        let audience = subject_token.first().map(|one| one.audience().to_owned()).unwrap_or_default();
        let target = |asked: &str| ExchangeRefusal::Target { asked: asked.to_owned(), token: audience.clone() };
        if asked.audiences.len() > 1 || asked.audiences.iter().any(|asked| *asked != audience) {
            return Err(target(&asked.audiences.join(" and ")).into());
        }
        let mut missed = Vec::new();
        let mut untrusted = false;
        for (grant, at) in candidates(snapshot, &subject_token, &audience) {
            let (Some(one), Some(entry)) = (subject_token.get(at), snapshot.entry(&grant.row.provider)) else {
                continue;
            };
            let Ok(Compiled::Grant(compiled)) = compiled(grant, entry) else { continue };
            if one.is_untrusted() && !compiled.spec.allow_untrusted {
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
            let offer = self.grant_offer(compiled, asked)?;
            let (entry, entitlement) = (Arc::clone(entry), Arc::clone(grant));
            let subject_token = subject_token.swap_remove(at);
            return Ok(Judgement {
                subject_token,
                entry,
                entitlement: Some(entitlement),
                also: Vec::new(),
                pins: None,
                offer,
            });
        }
        Err(match (untrusted, missed.is_empty()) {
            (false, true) => target(&audience),
            (true, true) => ExchangeRefusal::Untrusted,
            (_, false) => ExchangeRefusal::Condition(missed),
        }
        .into())
    }

    /// Does the grant's condition hold? Evaluated where nothing else waits for it.
    pub(super) async fn condition_holds(
        &self,
        grant: &SharedEntitlement,
        entry: &Arc<ProviderEntry>,
        subject_token: &SubjectToken,
        request: Value,
        trail: &mut Trail,
    ) -> Result<Result<bool, CelFailure>, NotExchanged> {
        let provider = subject_token.verified.provider_name().to_owned();
        let claims = subject_token.verified.claims().all().clone();
        self.condition_holds_of(grant, entry, (provider, claims), request, trail).await
    }

    /// The same of claims that were kept.
    pub(super) async fn condition_holds_of(
        &self,
        grant: &SharedEntitlement,
        entry: &Arc<ProviderEntry>,
        (provider, claims): (String, Map<String, Value>),
        request: Value,
        trail: &mut Trail,
    ) -> Result<Result<bool, CelFailure>, NotExchanged> {
        let (grant, entry, explained) = (Arc::clone(grant), Arc::clone(entry), !trail.is_silent());
        let evaluated = self.parts.pool.run(move || {
            let Ok(Compiled::Grant(compiled)) = grant.compiled(entry.provider()) else {
                return (Ok(false), Vec::new());
            };
            let none = Map::new();
            let request = request.as_object().unwrap_or(&none);
            let ask = GrantRequest { provider: &provider, claims: &claims, request };
            let parts = if explained { compiled.condition.explain(&ask) } else { Vec::new() };
            (compiled.condition.holds(&ask), parts)
        });
        let (answer, parts): (Result<bool, CelFailure>, Vec<RulePart>) =
            evaluated.await.map_err(ExchangeError::from)?;
        for part in parts {
            note_part(trail, part.text.clone(), &part);
        }
        Ok(answer)
    }

    fn grant_offer(&self, compiled: &CompiledGrant, asked: &TokenExchangeRequest) -> Result<Offer, ExchangeRefusal> {
        let jwt = compiled.gives_jwt();
        match &asked.requested {
            RequestedToken::Jwt if !jwt => return Err(ExchangeRefusal::TokenType { asked: "jwt".to_owned() }),
            RequestedToken::Other(other) => return Err(ExchangeRefusal::TokenType { asked: other.clone() }),
            RequestedToken::Any | RequestedToken::Jwt => {}
        }
        let spec = &compiled.spec;
        let beyond = |scope: &&String| !spec.scopes.contains(scope);
        if let Some(asked) = asked.scopes.iter().flatten().find(beyond) {
            return Err(ExchangeRefusal::Scope { asked: asked.clone(), allowed: spec.scopes.clone() });
        }
        let mut scopes = asked.scopes.clone().unwrap_or_else(|| spec.scopes.clone());
        scopes.sort();
        scopes.dedup();
        let lifetime = if jwt { compiled.valid_for.min(self.settings.max_lifetime) } else { compiled.valid_for };
        Ok(Offer {
            flow: super::flow_names::GRANT,
            jwt,
            name: spec.name.clone(),
            owner: None,
            scopes,
            packages: compiled.packages.clone(),
            audience: spec.audience.clone(),
            lifetime,
            ends_with_token: false,
            outlives_build: spec.outlives_build,
            single_use: compiled.is_single_use(),
            gem: None,
            access: None,
        })
    }
}

/// The grants for this audience, in their order, each with the token that its provider took.
fn candidates<'a>(
    snapshot: &'a RulesSnapshot,
    subject_token: &[SubjectToken],
    audience: &str,
) -> Vec<(&'a SharedEntitlement, usize)> {
    let fits = |grant: &'a SharedEntitlement| {
        let entry = snapshot.entry(&grant.row.provider)?;
        let Ok(Compiled::Grant(compiled)) = compiled(grant, entry) else { return None };
        let at = subject_token.iter().position(|one| one.verified.provider_name() == grant.row.provider)?;
        (compiled.spec.audience == audience).then_some((grant, at))
    };
    snapshot.grants().iter().filter_map(fits).collect()
}
