//! A registry's token endpoint (Docker's token specification): each action on each repository is judged by itself, and
//! what is not allowed is left out.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Judgement, Offer};
use crate::base::{Moment, Secret};
use crate::exchange::presented::{Presented, refused};
use crate::exchange::rule_book::{Entry, RuleBook};
use crate::exchange::{Declined, Error, Exchange, Refusal};
use crate::policy::{AccessDenied, AccessRequest, registry_actions};
use crate::store::DoorKind;
use crate::verifier::{self, Check, Demand, Trail, unverified_issuer_of};

/// What a client wants to do with one repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryScope {
    /// The kind of thing: `repository`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// `pull`, `push`, `delete`.
    pub actions: Vec<String>,
}

impl RegistryScope {
    /// Reads `repository:acme/app:pull,push`. A name may hold colons; the last part is the actions.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let (name, actions) = rest.rsplit_once(':')?;
        if kind.is_empty() || name.is_empty() {
            return None;
        }
        // Each once: every one is judged.
        let mut once: Vec<String> = Vec::new();
        for action in actions.split(',').filter(|action| !action.is_empty()) {
            if !once.iter().any(|known| known == action) {
                once.push(action.to_owned());
            }
        }
        Some(Self { kind: kind.to_owned(), name: name.to_owned(), actions: once })
    }
}

/// What a registry's token opens, as Docker's token specification has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// `repository`.
    pub r#type: String,
    /// Its name.
    pub name: String,
    /// What may be done.
    pub actions: Vec<String>,
}

impl Exchange {
    pub(super) async fn judge_registry(
        &self,
        book: &RuleBook,
        (provider, scopes): (Option<&str>, &[RegistryScope]),
        token: &Secret<String>,
        now: Moment,
        trail: &mut Trail,
    ) -> Result<Judgement, Declined> {
        let (entry, presented) = self.present_to_registry(book, provider, token, now, trail).await?;
        let access = self.access(&presented, scopes, trail).await?;
        let offer = Offer {
            door: DoorKind::Registry,
            jwt: true,
            name: presented.subject().to_owned(),
            owner: None,
            scopes: access
                .iter()
                .map(|access| format!("{}:{}:{}", access.r#type, access.name, access.actions.join(",")))
                .collect(),
            packages: Vec::new(),
            audience: self.settings.registry_audience.clone(),
            lifetime: self.settings.max_lifetime,
            ends_with_token: true,
            outlives_build: false,
            single_use: false,
            gem: None,
            access: Some(access),
        };
        Ok(Judgement { presented, entry, entitlement: None, also: Vec::new(), learned: None, offer })
    }

    /// By the provider that the client names, else by each of the issuer's: at most one can take it, since their
    /// required audiences differ.
    async fn present_to_registry(
        &self,
        book: &RuleBook,
        provider: Option<&str>,
        token: &Secret<String>,
        now: Moment,
        trail: &mut Trail,
    ) -> Result<(Arc<Entry>, Presented), Declined> {
        let issuer = unverified_issuer_of(token.reveal()).map_err(refused)?;
        let named = |entry: &&Arc<Entry>| provider.is_none_or(|name| entry.provider().name() == name);
        let mut furthest: Option<Declined> = None;
        for entry in book.entries_of(&issuer).filter(named) {
            let audience = entry.provider().required_audience().unwrap_or(&self.settings.registry_audience);
            let demand = Demand { audience: Some(audience), instead_of_providers: true, ..Demand::default() };
            match self.present(entry, token, &demand, now, trail).await {
                Ok(presented) => return Ok((Arc::clone(entry), presented)),
                Err(Declined::Failed(error)) => return Err(error.into()),
                Err(Declined::Refused(refused)) => {
                    let further = match &furthest {
                        Some(Declined::Refused(known)) => known.refusal.check() < refused.refusal.check(),
                        _ => true,
                    };
                    if further {
                        furthest = Some(Declined::Refused(refused));
                    }
                }
            }
        }
        Err(furthest.unwrap_or_else(|| Refusal::Token(verifier::Refusal::UnknownIssuer { issuer }).into()))
    }

    /// What of the scopes is allowed. Evaluated where nothing else waits for it.
    async fn access(
        &self,
        presented: &Presented,
        scopes: &[RegistryScope],
        trail: &mut Trail,
    ) -> Result<Vec<Access>, Declined> {
        let policies = Arc::clone(&self.settings.repositories);
        let (verified, untrusted) = (presented.verified.clone(), presented.is_untrusted());
        let scopes = scopes.to_vec();
        let judged = self.parts.pool.run(move || {
            let mut judged: Vec<(RegistryScope, String, Result<(), AccessDenied>)> = Vec::new();
            for scope in scopes.into_iter().filter(|scope| scope.kind == "repository") {
                for wanted in &scope.actions {
                    let parts = registry_actions(wanted);
                    let allowed = parts.iter().try_for_each(|action| {
                        policies.decide(&AccessRequest {
                            provider: verified.provider_name(),
                            claims: verified.claims().all(),
                            untrusted,
                            action,
                            repository: &scope.name,
                        })
                    });
                    let allowed = if parts.is_empty() { Err(AccessDenied::NoPolicy) } else { allowed };
                    judged.push((scope.clone(), wanted.clone(), allowed));
                }
            }
            judged
        });
        let mut access: Vec<Access> = Vec::new();
        for (scope, action, allowed) in judged.await.map_err(Error::from)? {
            let asked = || format!("{action} on {}", scope.name);
            match allowed {
                Ok(()) => trail.passed(Check::Policy, || ("an access policy that allows".to_owned(), asked())),
                Err(denied) => {
                    trail.failed(Check::Policy, || (asked(), denied.to_string()));
                    continue;
                }
            }
            let known = access.iter_mut().find(|known| known.name == scope.name);
            match known {
                Some(known) if !known.actions.contains(&action) => known.actions.push(action),
                Some(_) => {}
                None => access.push(Access { r#type: scope.kind, name: scope.name, actions: vec![action] }),
            }
        }
        Ok(access)
    }
}
