//! Flow of forward authentication: a proxy asks whether to let a request through. The request carries a token, which
//! stays valid for further requests, or a key issued by the grant. The grant's condition decides on method and path.
//! This flow issues no credential and never records a token as used.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::token_exchange::NAME as GRANT;
use crate::base::{CredentialId, Moment, Secret};
use crate::exchange::conditions::ExchangeSubject;
use crate::exchange::decide::compiled_of;
use crate::exchange::entitlements::{CompiledGrant, ProviderEntry, RulesSnapshot, SharedEntitlement};
use crate::exchange::exchange::Exchange;
use crate::exchange::flow::{Accepted, Attempt, Candidate, DecidedBy, EntitlementFlow, Flow, FlowAudience, Mismatch};
use crate::exchange::opaque_key::is_key;
use crate::exchange::refusal::{ExchangeRefusal, NotExchanged};
use crate::exchange::settings::ExchangeSettings;
use crate::exchange::subject_token::SubjectToken;
use crate::store::StoredCredential;
use crate::verifier::{Check, Provider, Trail};

/// Stable name of the flow, which labels metrics and is stored with events.
pub(in crate::exchange) const NAME: &str = "forward";

/// A client's request to the store behind a proxy. The proxy asks whether the request may pass.
#[derive(Debug, Clone)]
pub struct ForwardAuth {
    /// Name of the grant that decides on the request. The URL in the proxy's configuration holds the name.
    pub grant: String,
    /// Token or key that the client's request carries.
    pub credential: Secret<String>,
    /// HTTP method of the client's request.
    pub method: String,
    /// Path of the client's request, decoded, without the query.
    pub path: String,
    /// Host of the client's request; empty if the proxy does not send the host.
    pub host: String,
}

/// Identity of the client, returned if the client's request may pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// Name of the provider that verified the client's token. If the client sent a key, this provider verified the
    /// token that the key was issued for.
    pub provider: String,
    /// Subject of the client's token. If the client sent a key, the subject of the token that the key was issued for.
    pub subject: String,
    /// Name of the grant that let the request pass.
    pub grant: String,
    /// User name that the proxy sends to the store; `None` if the grant has no template for it, or the token's claims
    /// do not fill the template.
    pub user: Option<String>,
    /// Scopes of the key if the client sent a key, else the scopes of the grant.
    pub scopes: Vec<String>,
    /// Id of the key; `None` if the client sent a token.
    pub key: Option<CredentialId>,
    /// Id of the build that the token was issued to; `None` for tokens of other issuers.
    pub build: Option<String>,
}

/// The client that sent the request, identified by a token or by a key.
struct Caller {
    subject: ExchangeSubject,
    scopes: Vec<String>,
    key: Option<CredentialId>,
    build: Option<String>,
}

impl ForwardAuth {
    /// Finds the grant and the grant's provider. An unknown grant is refused like an unknown key, so that a caller
    /// cannot find out which grants exist.
    fn find<'a>(
        &self,
        rules: &'a RulesSnapshot,
    ) -> Result<(&'a SharedEntitlement, &'a Arc<ProviderEntry>), ExchangeRefusal> {
        let grant = rules.grant(&self.grant).ok_or(ExchangeRefusal::Credential)?;
        Ok((grant, rules.entry(&grant.row.provider).ok_or(ExchangeRefusal::Credential)?))
    }

    /// Returns the grant, compiled for its provider.
    fn grant<'a>(&self, rules: &'a RulesSnapshot) -> Result<&'a CompiledGrant, NotExchanged> {
        let (grant, entry) = self.find(rules)?;
        grant.usable(entry.provider())?;
        Ok(compiled_of(grant, entry.provider())?)
    }

    fn request(&self) -> Value {
        json!({ "method": self.method, "path": self.path, "host": self.host })
    }
}

#[async_trait]
impl Flow for ForwardAuth {
    fn name(&self) -> &'static str {
        NAME
    }

    fn audience<'a>(
        &'a self,
        rules: &'a RulesSnapshot,
        _settings: &'a ExchangeSettings,
        _provider: &'a Provider,
    ) -> Result<FlowAudience<'a>, NotExchanged> {
        Ok(FlowAudience::Required(&self.grant(rules)?.spec.audience))
    }

    fn decided_by(&self) -> DecidedBy<'_> {
        DecidedBy::Entitlements(self)
    }

    fn providers(&self, attempt: &Attempt<'_>) -> Result<Vec<Arc<ProviderEntry>>, NotExchanged> {
        self.grant(attempt.rules)?;
        Ok(vec![Arc::clone(self.find(attempt.rules)?.1)])
    }

    /// Refuses a token that was exchanged or revoked. Letting a request through does not record the token as used.
    async fn check_tokens(
        &self,
        attempt: &mut Attempt<'_>,
        tokens: &mut Vec<SubjectToken>,
    ) -> Result<(), NotExchanged> {
        for token in tokens.iter() {
            if attempt.exchange.parts.store.is_used(&attempt.exchange.id, &token.key()).await? {
                return Err(ExchangeRefusal::Used.into());
            }
        }
        attempt.trail.passed(Check::Use, || ("an unused token".to_owned(), "not used".to_owned()));
        Ok(())
    }
}

#[async_trait]
impl EntitlementFlow for ForwardAuth {
    fn candidates(&self, rules: &RulesSnapshot, tokens: &[SubjectToken]) -> Result<Vec<Candidate>, ExchangeRefusal> {
        Ok(Candidate::new(rules, self.find(rules)?.0, tokens).into_iter().collect())
    }

    fn checks_trust_first(&self) -> bool {
        true
    }

    async fn check(
        &self,
        attempt: &mut Attempt<'_>,
        candidate: &Candidate,
        token: &SubjectToken,
    ) -> Result<Result<Accepted, Mismatch>, NotExchanged> {
        attempt.check_condition(candidate, token, self.request()).await
    }

    fn no_entitlement(&self, _tokens: &[SubjectToken]) -> ExchangeRefusal {
        ExchangeRefusal::Credential
    }
}

impl Exchange {
    /// Decides whether the proxy may let a request through.
    ///
    /// # Errors
    /// [`NotExchanged`]. The client may try another credential after [`ExchangeRefusal::Credential`],
    /// [`ExchangeRefusal::Used`] or a refusal of the token itself. All other refusals are final for this client.
    pub async fn admit(&self, request: &ForwardAuth) -> Result<Admitted, NotExchanged> {
        let mut trail = Trail::silent();
        match self.try_admit(request, self.parts.clock.now(), &mut trail).await {
            Ok(admitted) => {
                self.parts.metrics.admitted();
                self.log_sample(request.name(), "admitted");
                Ok(admitted)
            }
            Err(NotExchanged::Refused(refused)) => {
                self.record_refusal(request.name(), &request.credential, &refused.refusal, &trail).await;
                Err(NotExchanged::Refused(refused))
            }
            failed => failed,
        }
    }

    pub(in crate::exchange) async fn try_admit(
        &self,
        request: &ForwardAuth,
        now: Moment,
        trail: &mut Trail,
    ) -> Result<Admitted, NotExchanged> {
        self.parts.keyring.ready_to_verify(now).await?;
        let rules = self.parts.rules_cache.current().await?;
        let (grant, entry) = request.find(&rules)?;
        let compiled = request.grant(&rules)?;
        let caller = if is_key(request.credential.expose_secret()) {
            self.caller_of_key(request, (grant, entry), now, trail).await?
        } else {
            let mut attempt = Attempt { exchange: self, rules: &rules, token: &request.credential, now, trail };
            let decision = attempt.decide(request).await.map_err(|error| self.disclose_for(entry, error))?;
            Caller {
                subject: ExchangeSubject::of(&decision.subject_token),
                scopes: compiled.spec.scopes.clone(),
                key: None,
                build: decision.subject_token.own.as_ref().map(|(_, record)| record.build.id.to_string()),
            }
        };
        let Caller { subject: ExchangeSubject { provider, claims }, scopes, key, build } = caller;
        Ok(Admitted {
            user: compiled.user(&claims),
            // A key has the subject of the key's token, so that a store knows the client by one name.
            subject: claims.get("sub").and_then(Value::as_str).unwrap_or_default().to_owned(),
            provider,
            grant: request.grant.clone(),
            scopes,
            key,
            build,
        })
    }

    /// Returns the client that the key was issued to, if the grant's condition holds for the claims of the key's token.
    async fn caller_of_key(
        &self,
        request: &ForwardAuth,
        (grant, entry): (&SharedEntitlement, &Arc<ProviderEntry>),
        now: Moment,
        trail: &mut Trail,
    ) -> Result<Caller, NotExchanged> {
        let is_of_grant = |found: &StoredCredential| {
            found.is_active(now) && found.flow == GRANT && found.entitlement == Some(grant.row.id)
        };
        let found = self.parts.store.find_credential(&self.id, request.credential.digest()).await?;
        let found = found.filter(is_of_grant).ok_or(ExchangeRefusal::Credential)?;
        let token = self.parts.store.find_id_token(&self.id, found.id_token).await?;
        let token = token.ok_or(ExchangeRefusal::Credential)?;
        let claims: Map<String, Value> =
            serde_json::from_str(&token.claims).map_err(|_| ExchangeRefusal::Credential)?;
        trail.found_good(&found.provider);
        let subject = || ExchangeSubject { provider: found.provider.clone(), claims: claims.clone() };
        let holds = self.condition_holds((grant, entry.provider()), subject(), request.request(), trail).await?;
        if holds != Ok(true) {
            let refusal = ExchangeRefusal::Condition(vec![(request.grant.clone(), holds.err())]);
            return Err(self.disclose_for(entry, refusal.into()));
        }
        trail.passed(Check::Policy, || ("a grant that accepts the key".to_owned(), request.grant.clone()));
        let build = found.build.map(|build| build.to_string());
        Ok(Caller { subject: subject(), scopes: found.scopes, key: Some(found.id), build })
    }
}
