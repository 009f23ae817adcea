//! A registry's token endpoint (Docker's token specification): each action on each repository is judged by itself, and
//! what is not allowed is left out.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Judgement, Offer, note_part};
use crate::base::{FieldError, Moment, Secret};
use crate::exchange::entitlements::{ProviderEntry, RulesSnapshot};
use crate::exchange::subject_token::{SubjectToken, refused};
use crate::exchange::{DisclosedRefusal, Exchange, ExchangeError, ExchangeRefusal, NotExchanged};
use crate::policy::{AccessDenied, AccessRequest, RulePart, registry_actions};
use crate::verifier::{self, Check, Requirements, Trail, unverified_issuer_of};

/// Most scopes of one request.
const MOST_SCOPES: usize = 64;

/// Longest name of a repository, in bytes, as the OCI distribution specification bounds it.
const LONGEST_NAME: usize = 255;

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
    /// Reads scopes, each name once with all its actions; what is no scope is left out.
    ///
    /// # Errors
    /// [`FieldError`]: more than 64 of them, or a name longer than any registry takes.
    pub fn read_all<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Vec<Self>, FieldError> {
        let mut scopes: Vec<Self> = Vec::new();
        for scope in texts.into_iter().filter_map(Self::parse) {
            if scope.name.len() > LONGEST_NAME {
                return Err(FieldError::new("scope", format!("a name must have {LONGEST_NAME} bytes at most")));
            }
            let known = scopes.iter().position(|known| known.kind == scope.kind && known.name == scope.name);
            match known.and_then(|at| scopes.get_mut(at)) {
                Some(known) => scope.actions.into_iter().for_each(|action| known.add(action)),
                None => scopes.push(scope),
            }
            if scopes.len() > MOST_SCOPES {
                return Err(FieldError::new("scope", format!("must be {MOST_SCOPES} at most")));
            }
        }
        Ok(scopes)
    }

    /// Each once: every one is judged.
    fn add(&mut self, action: String) {
        if !self.actions.contains(&action) {
            self.actions.push(action);
        }
    }

    /// Reads `repository:acme/app:pull,push`. A name may hold colons; the last part is the actions.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let (name, actions) = rest.rsplit_once(':')?;
        if kind.is_empty() || name.is_empty() {
            return None;
        }
        let mut scope = Self { kind: kind.to_owned(), name: name.to_owned(), actions: Vec::new() };
        actions.split(',').filter(|action| !action.is_empty()).for_each(|action| scope.add(action.to_owned()));
        Some(scope)
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
        snapshot: &RulesSnapshot,
        (provider, scopes): (Option<&str>, &[RegistryScope]),
        token: &Secret<String>,
        now: Moment,
        trail: &mut Trail,
    ) -> Result<Judgement, NotExchanged> {
        let (entry, subject_token) = self.present_to_registry(snapshot, provider, token, now, trail).await?;
        let access = if entry.as_configured {
            self.access(&subject_token, scopes, trail).await?
        } else {
            let expected = "a provider as this server's configuration has it";
            trail.failed(Check::Policy, || (expected.to_owned(), "another one of its name".to_owned()));
            Vec::new()
        };
        let offer = Offer {
            flow: super::flow_names::REGISTRY,
            jwt: true,
            name: subject_token.subject().to_owned(),
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
        Ok(Judgement { subject_token, entry, entitlement: None, also: Vec::new(), pins: None, offer })
    }

    /// By the provider that the client names, else by each of the issuer's: at most one can take it, since their
    /// required audiences differ.
    async fn present_to_registry(
        &self,
        snapshot: &RulesSnapshot,
        provider: Option<&str>,
        token: &Secret<String>,
        now: Moment,
        trail: &mut Trail,
    ) -> Result<(Arc<ProviderEntry>, SubjectToken), NotExchanged> {
        let issuer = unverified_issuer_of(token.expose_secret()).map_err(refused)?;
        let named = |entry: &&Arc<ProviderEntry>| provider.is_none_or(|name| entry.provider().name() == name);
        let mut furthest: Option<DisclosedRefusal> = None;
        let mut without_keys = None;
        for entry in snapshot.entries_of(&issuer).filter(named) {
            let audience = entry.provider().required_audience().unwrap_or(&self.settings.registry_audience);
            let requirements =
                Requirements { audience: Some(audience), instead_of_providers: true, ..Requirements::default() };
            match self.present(entry, token, &requirements, now, trail).await {
                Ok(subject_token) => return Ok((Arc::clone(entry), subject_token)),
                Err(NotExchanged::Failed(error @ ExchangeError::ProviderKeys { .. })) => without_keys = Some(error),
                Err(NotExchanged::Failed(error)) => return Err(error.into()),
                Err(NotExchanged::Refused(refused)) => {
                    if furthest.as_ref().is_none_or(|known| known.refusal.check() < refused.refusal.check()) {
                        furthest = Some(refused);
                    }
                }
            }
        }
        // It may be good for the one that can't be asked.
        if let Some(error) = without_keys {
            return Err(error.into());
        }
        Err(furthest.map_or_else(
            || ExchangeRefusal::Token(verifier::TokenRefusal::UnknownIssuer { issuer }).into(),
            NotExchanged::Refused,
        ))
    }

    /// What of the scopes is allowed. Evaluated where nothing else waits for it.
    async fn access(
        &self,
        subject_token: &SubjectToken,
        scopes: &[RegistryScope],
        trail: &mut Trail,
    ) -> Result<Vec<Access>, NotExchanged> {
        let policies = Arc::clone(&self.settings.repositories);
        let (verified, untrusted) = (subject_token.verified.clone(), subject_token.is_untrusted());
        let (scopes, explained) = (scopes.to_vec(), !trail.is_silent());
        let judged = self.parts.pool.run(move || {
            let mut judged = Vec::new();
            for scope in scopes.into_iter().filter(|scope| scope.kind == "repository") {
                for wanted in &scope.actions {
                    let mut parts: Vec<RulePart> = Vec::new();
                    let mut allowed = Err(AccessDenied::NoPolicy);
                    for action in registry_actions(wanted) {
                        let request = AccessRequest {
                            provider: verified.provider_name(),
                            claims: verified.claims().all(),
                            untrusted,
                            action,
                            repository: &scope.name,
                        };
                        if let Some(policy) = policies.of(&scope.name).filter(|_| explained) {
                            parts.extend(policy.explain(&request));
                        }
                        allowed = policies.decide(&request);
                        if allowed.is_err() {
                            break;
                        }
                    }
                    judged.push((scope.clone(), wanted.clone(), parts, allowed));
                }
            }
            judged
        });
        let mut access: Vec<Access> = Vec::new();
        for (scope, action, parts, allowed) in judged.await.map_err(ExchangeError::from)? {
            for part in parts {
                note_part(trail, part.of_rule(), &part);
            }
            let asked = || format!("{action} on {}", scope.name);
            match allowed {
                Ok(()) => trail.passed(Check::Policy, || ("an access policy that allows".to_owned(), asked())),
                Err(denied) => {
                    trail.failed(Check::Policy, || (asked(), denied.to_string()));
                    continue;
                }
            }
            match access.iter_mut().find(|known| known.name == scope.name) {
                Some(known) => known.actions.push(action),
                None => access.push(Access { r#type: scope.kind, name: scope.name, actions: vec![action] }),
            }
        }
        Ok(access)
    }
}
