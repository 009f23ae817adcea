//! Forward authentication: a proxy asks before it lets a request through. The token itself is taken, as often as the
//! client sends it, or a key that the grant gave. Nothing is made and nothing is spent; the condition decides on the
//! request's method and path.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::compiled;
use crate::base::{CredentialId, Moment, Secret};
use crate::exchange::entitlements::ProviderEntry;
use crate::exchange::entitlements::{Compiled, CompiledGrant, SharedEntitlement};
use crate::exchange::{Exchange, ExchangeRefusal, NotExchanged, is_key};
use crate::store::StoredCredential;
use crate::verifier::{Check, Requirements, Trail};

/// A request that a proxy asks about.
#[derive(Debug, Clone)]
pub struct ForwardRequest {
    /// The grant, from the proxy's own configuration.
    pub grant: String,
    /// What the request carries.
    pub credential: ForwardCredential,
    /// Its method.
    pub method: String,
    /// Its path, decoded, without the query.
    pub path: String,
    /// Its host; empty where the proxy does not say.
    pub host: String,
}

/// What a request carries to say who sends it: a token, or a key.
#[derive(Debug, Clone)]
pub struct ForwardCredential(pub Secret<String>);

/// Who is let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The provider whose token it is, or was.
    pub provider: String,
    /// The token's subject.
    pub subject: String,
    /// The grant.
    pub grant: String,
    /// The user that a store is told.
    pub user: Option<String>,
    /// What the grant's holders may do.
    pub scopes: Vec<String>,
    /// The key, where one was sent.
    pub key: Option<CredentialId>,
    /// The build of ours, where it is one's.
    pub build: Option<String>,
}

/// Who asks, however that was found.
struct Bearer {
    provider: String,
    subject: String,
    claims: Map<String, Value>,
    scopes: Vec<String>,
    key: Option<CredentialId>,
    build: Option<String>,
}

impl Exchange {
    /// May this request go through?
    ///
    /// # Errors
    /// [`NotExchanged`]: [`ExchangeRefusal::Credential`] and refusals of the token itself ask for another credential, all others
    /// say that this one may not.
    pub async fn admit(&self, ask: &ForwardRequest) -> Result<Admitted, NotExchanged> {
        let now = self.parts.clock.now();
        let mut trail = Trail::silent();
        let admitted = self.try_admit(ask, now, &mut trail).await;
        match admitted {
            Err(NotExchanged::Refused(refused)) => {
                self.refused("forward", &ask.credential.0, &refused.refusal, &trail).await;
                Err(NotExchanged::Refused(refused))
            }
            Ok(admitted) => {
                self.parts.metrics.admitted();
                self.sample("forward", "admitted");
                Ok(admitted)
            }
            failed => failed,
        }
    }

    pub(in crate::exchange) async fn try_admit(
        &self,
        ask: &ForwardRequest,
        now: Moment,
        trail: &mut Trail,
    ) -> Result<Admitted, NotExchanged> {
        self.parts.keyring.ready_to_verify(now).await?;
        let snapshot = self.parts.rules_cache.current().await?;
        // An unknown grant is refused as a credential that opens nothing is.
        let grant = Arc::clone(snapshot.grant(&ask.grant).ok_or(ExchangeRefusal::Credential)?);
        let entry = Arc::clone(snapshot.entry(&grant.row.provider).ok_or(ExchangeRefusal::Credential)?);
        let Compiled::Grant(compiled) = compiled(&grant, &entry)? else {
            return Err(ExchangeRefusal::Credential.into());
        };
        let token = &ask.credential.0;
        let bearer = if is_key(token.expose_secret()) {
            let bearer = self.bearer_of_key(&grant, token, now).await?;
            trail.found_good(&bearer.provider);
            bearer
        } else {
            match self.bearer_of_token((&entry, compiled), token, now, trail).await {
                Err(NotExchanged::Refused(refused)) => return Err(self.tell(&entry, refused.refusal)),
                bearer => bearer?,
            }
        };
        let request = json!({ "method": ask.method, "path": ask.path, "host": ask.host });
        let asked = (bearer.provider.clone(), bearer.claims.clone());
        match self.condition_holds_of(&grant, &entry, asked, request, trail).await? {
            Ok(true) => {}
            Ok(false) => return Err(self.tell(&entry, ExchangeRefusal::Condition(vec![(ask.grant.clone(), None)]))),
            Err(failure) => {
                return Err(self.tell(&entry, ExchangeRefusal::Condition(vec![(ask.grant.clone(), Some(failure))])));
            }
        }
        trail.passed(Check::Policy, || ("a grant that lets it through".to_owned(), ask.grant.clone()));
        Ok(Admitted {
            user: compiled.user(&bearer.claims),
            provider: bearer.provider,
            subject: bearer.subject,
            grant: ask.grant.clone(),
            scopes: bearer.scopes,
            key: bearer.key,
            build: bearer.build,
        })
    }

    async fn bearer_of_token(
        &self,
        (entry, compiled): (&ProviderEntry, &CompiledGrant),
        token: &Secret<String>,
        now: Moment,
        trail: &mut Trail,
    ) -> Result<Bearer, NotExchanged> {
        let requirements = Requirements {
            audience: Some(&compiled.spec.audience),
            instead_of_providers: true,
            ..Requirements::default()
        };
        let subject_token = self.present(entry, token, &requirements, now, trail).await?;
        if self.parts.store.is_used(&self.id, &subject_token.key()).await? {
            return Err(ExchangeRefusal::Spent.into());
        }
        if subject_token.is_untrusted() && !compiled.spec.allow_untrusted {
            return Err(ExchangeRefusal::Untrusted.into());
        }
        trail.passed(Check::Use, || ("a token that nobody spent".to_owned(), "one".to_owned()));
        Ok(Bearer {
            provider: subject_token.verified.provider_name().to_owned(),
            subject: subject_token.subject().to_owned(),
            claims: subject_token.verified.claims().all().clone(),
            scopes: compiled.spec.scopes.clone(),
            key: None,
            build: subject_token.own.as_ref().map(|(_, standing)| standing.build.id.to_string()),
        })
    }

    async fn bearer_of_key(
        &self,
        grant: &SharedEntitlement,
        key: &Secret<String>,
        now: Moment,
    ) -> Result<Bearer, NotExchanged> {
        let opens = |found: &StoredCredential| {
            found.is_active(now) && found.flow == super::flow_names::GRANT && found.entitlement == Some(grant.row.id)
        };
        let found = self.parts.store.find_credential(&self.id, key.digest()).await?;
        let found = found.filter(opens).ok_or(ExchangeRefusal::Credential)?;
        let kept =
            self.parts.store.find_id_token(&self.id, found.id_token).await?.ok_or(ExchangeRefusal::Credential)?;
        let claims: Map<String, Value> = serde_json::from_str(&kept.claims).map_err(|_| ExchangeRefusal::Credential)?;
        Ok(Bearer {
            provider: found.provider,
            // As of the token itself: a store knows whom by one name.
            subject: claims.get("sub").and_then(Value::as_str).unwrap_or_default().to_owned(),
            claims,
            scopes: found.scopes,
            key: Some(found.id),
            build: found.build.map(|build| build.to_string()),
        })
    }
}
