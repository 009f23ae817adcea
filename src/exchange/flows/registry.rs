//! Flow of a container registry's token endpoint (Docker's token specification): access policies decide on each action
//! on each repository, and the access token leaves out the denied actions.

use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;
use serde_json::{Map, json};

use crate::base::FieldError;
use crate::exchange::conditions::note_part;
use crate::exchange::entitlements::{ProviderEntry, RulesSnapshot};
use crate::exchange::flow::{
    Attempt, DecidedBy, ExchangeDecision, Flow, FlowAudience, Form, IssuingFlow, Lifetime, Offer,
};
use crate::exchange::refusal::{ExchangeError, NotExchanged};
use crate::exchange::settings::ExchangeSettings;
use crate::exchange::subject_token::SubjectToken;
use crate::keyring::WorkOf;
use crate::policy::{AccessDenied, AccessRequest, RulePart, registry_actions};
use crate::verifier::{Check, Provider};

/// Stable name of the flow, which labels metrics and is stored with access tokens.
pub(in crate::exchange) const NAME: &str = "registry";

/// Maximum number of scopes in one request.
const MOST_SCOPES: usize = 64;

/// Maximum length of a repository name, in bytes (OCI distribution specification).
const LONGEST_NAME: usize = 255;

/// Actions that a client requests on one repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryScope {
    /// Type of the requested resource; only `repository` is ever granted.
    pub kind: String,
    /// Name of the repository.
    pub name: String,
    /// Actions that the client requests on the repository, such as `pull`, `push` and `delete`.
    pub actions: Vec<String>,
}

impl RegistryScope {
    /// Parses scopes, and merges the scopes of each repository into one. Skips texts that are not scopes.
    ///
    /// # Errors
    /// [`FieldError`] if there are more than 64 scopes, or a repository name is longer than registries accept.
    pub fn read_all<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Vec<Self>, FieldError> {
        let mut scopes: Vec<Self> = Vec::new();
        for scope in texts.into_iter().filter_map(Self::parse) {
            if scope.name.len() > LONGEST_NAME {
                return Err(FieldError::new(
                    "scope",
                    format!("a repository name must have at most {LONGEST_NAME} bytes"),
                ));
            }
            let known = scopes.iter().position(|known| known.kind == scope.kind && known.name == scope.name);
            match known.and_then(|at| scopes.get_mut(at)) {
                Some(known) => scope.actions.into_iter().for_each(|action| known.add(action)),
                None => scopes.push(scope),
            }
            if scopes.len() > MOST_SCOPES {
                return Err(FieldError::new("scope", format!("must be at most {MOST_SCOPES} scopes")));
            }
        }
        Ok(scopes)
    }

    /// Adds an action unless the scope has it already, so that the policies are evaluated once for each action.
    fn add(&mut self, action: String) {
        if !self.actions.contains(&action) {
            self.actions.push(action);
        }
    }

    /// Parses a scope such as `repository:acme/app:pull,push`. The name may hold colons; the actions follow the last
    /// colon. Returns `None` for text that is not a scope.
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

/// Access to one repository: an element of the claim `access` (Docker's token specification).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Access {
    r#type: String,
    name: String,
    actions: Vec<String>,
}

/// Flow that exchanges a token for an access token of a container registry.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    /// Name of the token's provider, if the client names a provider.
    pub provider: Option<String>,
    /// Scopes that the client requests, one for each repository.
    pub scopes: Vec<RegistryScope>,
}

/// Decision of the access policies on one action on one repository.
struct Evaluated {
    scope: RegistryScope,
    action: String,
    parts: Vec<RulePart>,
    decision: Result<(), AccessDenied>,
}

#[async_trait]
impl Flow for Registry {
    fn name(&self) -> &'static str {
        NAME
    }

    fn audience<'a>(
        &'a self,
        _rules: &'a RulesSnapshot,
        settings: &'a ExchangeSettings,
        provider: &'a Provider,
    ) -> Result<FlowAudience<'a>, NotExchanged> {
        Ok(FlowAudience::Required(provider.required_audience().unwrap_or(&settings.registry_audience)))
    }

    fn decided_by(&self) -> DecidedBy<'_> {
        DecidedBy::AccessPolicies
    }

    fn providers(&self, attempt: &Attempt<'_>) -> Result<Vec<Arc<ProviderEntry>>, NotExchanged> {
        let is_named = |provider: &Provider| self.provider.as_deref().is_none_or(|name| provider.name() == name);
        attempt.providers_of_issuer(is_named)
    }

    fn has_audience_per_provider(&self) -> bool {
        true
    }
}

#[async_trait]
impl IssuingFlow for Registry {
    async fn offer(&self, attempt: &mut Attempt<'_>, decision: &ExchangeDecision) -> Result<Offer, NotExchanged> {
        let token = &decision.subject_token;
        let access = if decision.entry.as_configured {
            self.access(attempt, token).await?
        } else {
            attempt.trail.failed(Check::Policy, || {
                let expected = "the provider that this server's configuration declares";
                (expected.to_owned(), "a different provider of this name".to_owned())
            });
            Vec::new()
        };
        let scope = |access: &Access| format!("{}:{}:{}", access.r#type, access.name, access.actions.join(","));
        let settings = &attempt.exchange.settings;
        Ok(Offer {
            name: token.subject().to_owned(),
            owner: None,
            scopes: access.iter().map(scope).collect(),
            packages: Vec::new(),
            audience: settings.registry_audience.clone(),
            lifetime: Lifetime::WithinToken(settings.max_lifetime),
            outlives_build: false,
            single_use: false,
            form: Form::AccessToken {
                grants_access: !access.is_empty(),
                claims: Map::from_iter([("access".to_owned(), json!(access))]),
            },
        })
    }
}

impl Registry {
    /// Returns the access that the policies allow. A thread of the signing pool evaluates the policies, so that slow
    /// policies do not block other requests.
    async fn access(&self, attempt: &mut Attempt<'_>, token: &SubjectToken) -> Result<Vec<Access>, NotExchanged> {
        let policies = Arc::clone(&attempt.exchange.settings.repositories);
        let (verified, untrusted) = (token.verified.clone(), token.is_untrusted());
        let key = WorkOf::subject(verified.provider_name(), verified.claims().subject());
        let (scopes, explained) = (self.scopes.clone(), !attempt.trail.is_silent());
        let evaluated = attempt.exchange.parts.pool.run(key, move || {
            let mut evaluated = Vec::new();
            for scope in scopes.into_iter().filter(|scope| scope.kind == "repository") {
                for wanted in &scope.actions {
                    let mut parts: Vec<RulePart> = Vec::new();
                    let mut decision = Err(AccessDenied::NoPolicy);
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
                        decision = policies.decide(&request);
                        if decision.is_err() {
                            break;
                        }
                    }
                    evaluated.push(Evaluated { scope: scope.clone(), action: wanted.clone(), parts, decision });
                }
            }
            evaluated
        });
        let mut access: Vec<Access> = Vec::new();
        for Evaluated { scope, action, parts, decision } in evaluated.await.map_err(ExchangeError::from)? {
            for part in parts {
                note_part(attempt.trail, part.of_rule(), &part);
            }
            let asked = || format!("{action} on {}", scope.name);
            if let Err(denied) = decision {
                attempt.trail.failed(Check::Policy, || (asked(), denied.to_string()));
                continue;
            }
            attempt.trail.passed(Check::Policy, || ("an access policy that allows".to_owned(), asked()));
            match access.iter_mut().find(|known| known.name == scope.name) {
                Some(known) => known.actions.push(action),
                None => access.push(Access { r#type: scope.kind, name: scope.name, actions: vec![action] }),
            }
        }
        Ok(access)
    }
}
