//! Flow of the token endpoint (RFC 8693). It tries the grants for the token's audience, and the first grant that
//! accepts the token decides. A grant here is an entitlement of the rules file, not an authorization grant of OAuth.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use crate::exchange::entitlements::{CompiledGrant, RulesSnapshot};
use crate::exchange::flow::{
    Accepted, Attempt, Candidate, DecidedBy, EntitlementFlow, ExchangeDecision, Flow, FlowAudience, Form, IssuingFlow,
    Lifetime, Mismatch, Offer,
};
use crate::exchange::refusal::{ExchangeRefusal, NotExchanged};
use crate::exchange::settings::ExchangeSettings;
use crate::exchange::subject_token::SubjectToken;
use crate::verifier::Provider;

/// Stable name of the flow, which is stored with credentials. Forward authentication accepts only keys of this flow.
pub(in crate::exchange) const NAME: &str = "grant";

/// Token type that a client requests for the credential (RFC 8693 §2.1, `requested_token_type`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RequestedToken {
    /// Any token type: the entitlement that accepts the token determines the type.
    #[default]
    Any,
    /// A JWT, and not an opaque key.
    Jwt,
    /// A token type that the token endpoint never issues.
    Other(String),
}

/// Flow of the token endpoint, with the parameters of one request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenExchange {
    /// Audiences and resources that the client requests. If empty, the credential is for the token's own audience; more
    /// than one audience is refused.
    pub audiences: Vec<String>,
    /// Scopes that the client requests; `None` for all scopes of the entitlement that accepts the token.
    pub scopes: Option<Vec<String>>,
    /// Token type that the client requests for the credential.
    pub requested: RequestedToken,
}

#[async_trait]
impl Flow for TokenExchange {
    fn name(&self) -> &'static str {
        NAME
    }

    /// Requires no audience at verification. The token's audience determines which grants `EntitlementFlow::candidates`
    /// returns.
    fn audience<'a>(
        &'a self,
        _rules: &'a RulesSnapshot,
        _settings: &'a ExchangeSettings,
        _provider: &'a Provider,
    ) -> Result<FlowAudience<'a>, NotExchanged> {
        Ok(FlowAudience::ComparedLater)
    }

    fn decided_by(&self) -> DecidedBy<'_> {
        DecidedBy::Entitlements(self)
    }

    /// Compares the requested audience with the token's audience. Runs after verification, so that a caller without a
    /// valid token cannot find out which audiences exist.
    async fn check_tokens(
        &self,
        _attempt: &mut Attempt<'_>,
        tokens: &mut Vec<SubjectToken>,
    ) -> Result<(), NotExchanged> {
        let audience = audience(tokens);
        if self.audiences.len() > 1 || self.audiences.iter().any(|asked| asked != audience) {
            let (asked, token) = (self.audiences.join(" and "), audience.to_owned());
            return Err(ExchangeRefusal::Target { asked, token }.into());
        }
        Ok(())
    }
}

#[async_trait]
impl EntitlementFlow for TokenExchange {
    fn candidates(&self, rules: &RulesSnapshot, tokens: &[SubjectToken]) -> Result<Vec<Candidate>, ExchangeRefusal> {
        let audience = audience(tokens);
        let is_for = |candidate: &Candidate| {
            candidate.compiled::<CompiledGrant>().is_ok_and(|grant| grant.spec.audience == audience)
        };
        let grants = rules.grants().iter();
        Ok(grants.filter_map(|grant| Candidate::new(rules, grant, tokens)).filter(is_for).collect())
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
        let request = match &self.scopes {
            Some(scopes) => json!({ "audience": token.audience(), "scopes": scopes }),
            None => json!({ "audience": token.audience() }),
        };
        attempt.check_condition(candidate, token, request).await
    }

    fn no_entitlement(&self, tokens: &[SubjectToken]) -> ExchangeRefusal {
        let audience = audience(tokens).to_owned();
        ExchangeRefusal::Target { asked: audience.clone(), token: audience }
    }
}

#[async_trait]
impl IssuingFlow for TokenExchange {
    async fn offer(&self, attempt: &mut Attempt<'_>, decision: &ExchangeDecision) -> Result<Offer, NotExchanged> {
        let grant: &CompiledGrant = decision.compiled()?;
        let jwt = grant.issues_access_tokens();
        match &self.requested {
            RequestedToken::Jwt if !jwt => return Err(ExchangeRefusal::TokenType { asked: "jwt".to_owned() }.into()),
            RequestedToken::Other(other) => return Err(ExchangeRefusal::TokenType { asked: other.clone() }.into()),
            RequestedToken::Any | RequestedToken::Jwt => {}
        }
        let spec = &grant.spec;
        if let Some(asked) = self.scopes.iter().flatten().find(|scope| !spec.scopes.contains(scope)) {
            return Err(ExchangeRefusal::Scope { asked: asked.clone(), allowed: spec.scopes.clone() }.into());
        }
        let mut scopes = self.scopes.clone().unwrap_or_else(|| spec.scopes.clone());
        scopes.sort();
        scopes.dedup();
        let longest = attempt.exchange.settings.max_lifetime;
        Ok(Offer {
            name: spec.name.clone(),
            owner: None,
            packages: grant.packages.clone(),
            audience: spec.audience.clone(),
            lifetime: Lifetime::Fixed(if jwt { grant.valid_for.min(longest) } else { grant.valid_for }),
            outlives_build: spec.outlives_build,
            single_use: grant.is_single_use(),
            form: if jwt { access_token(&spec.name, &scopes) } else { Form::Key },
            scopes,
        })
    }
}

/// Returns the form of an access token. Its claim `grant` is the name of the grant. Its claim `scope` is left out if
/// there are no scopes.
fn access_token(grant: &str, scopes: &[String]) -> Form {
    let mut claims = Map::new();
    if !scopes.is_empty() {
        claims.insert("scope".to_owned(), Value::from(scopes.join(" ")));
    }
    claims.insert("grant".to_owned(), Value::from(grant));
    Form::AccessToken { claims, grants_access: true }
}

/// Returns the token's audience, which does not depend on the provider that verified the token.
fn audience(tokens: &[SubjectToken]) -> &str {
    tokens.first().map(SubjectToken::audience).unwrap_or_default()
}
