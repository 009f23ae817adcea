//! The act that everything else is for: deciding, signing and recording one ID token.
//!
//! A token never leaves before its record is on disk, and never after its build, its request token or its client died:
//! the transaction that records it judges both.

use std::sync::Arc;

use super::{ClientCredential, Declined, Error, Issuer, Quota, Refusal};
use crate::base::{BuildId, Jti, Moment, Seconds, Secret, Sha256};
use crate::claims::{AudienceError, Audiences, IdToken, MAX_TOKEN_BYTES, Step, StepRequest, Window, largest_claims};
use crate::jose::{Algorithm, SigningKey};
use crate::policy::{Ask, Client, Grant, Scope};
use crate::store::{AuditRow, Issuance, IssuanceRefusal, StoredBuild, StoredRequestToken, TokenBearer, TokenKind};

/// What is asked for, whoever asks.
#[derive(Debug, Clone, Default)]
pub struct TokenRequest {
    /// For which audiences, as they were sent.
    pub audiences: Vec<String>,
    /// Exactly this lifetime, or none in particular.
    pub lifetime: Option<Seconds>,
    /// This algorithm, or none in particular.
    pub algorithm: Option<Algorithm>,
    /// Who asks, as an address.
    pub peer: Option<String>,
}

/// A token for a CI server that injects it.
#[derive(Debug)]
pub struct DirectRequest {
    /// What is asked for.
    pub token: TokenRequest,
    /// The step that the token is for.
    pub step: Option<StepRequest>,
}

/// The build that a job's URL names. The request token picks the build; a URL that disagrees opens nothing.
#[derive(Debug, Clone)]
pub enum PullPath {
    /// By our id.
    Build(BuildId),
    /// By Vela's path.
    Vela {
        /// Organisation.
        org: String,
        /// Repository's name alone.
        repo: String,
        /// The CI's number, as it was written.
        number: String,
    },
}

impl PullPath {
    fn names(&self, build: &StoredBuild) -> bool {
        match self {
            Self::Build(id) => *id == build.id,
            Self::Vela { org, repo, number } => {
                *org == build.build.org && *repo == build.build.repo && *number == build.build.number.to_string()
            }
        }
    }
}

/// What a request for a token comes to.
#[derive(Debug)]
pub enum Issued {
    /// Everything but a token.
    Preview(Preview),
    /// A recorded token.
    Token(IssuedToken),
}

/// A token that may leave: its record is on disk.
#[derive(Debug)]
pub struct IssuedToken {
    /// The JWT.
    pub token: Secret<String>,
    /// Its `jti`.
    pub jti: Jti,
    /// Its `exp`.
    pub expires_at: Moment,
    /// From now to then.
    pub lifetime: Seconds,
    /// Its `sub`.
    pub subject: String,
    /// Its `aud`.
    pub audiences: Audiences,
    /// The rule that granted it; `None` where the default did.
    pub rule: Option<String>,
}

/// What a token would be.
#[derive(Debug)]
pub struct Preview {
    /// Its `sub`.
    pub subject: String,
    /// Its `aud`.
    pub audiences: Audiences,
    /// The rule that would grant it; `None` where the default would.
    pub rule: Option<String>,
    /// Its `alg`.
    pub algorithm: Algorithm,
    /// Its lifetime.
    pub lifetime: Seconds,
    /// Its claims, without a `jti`.
    pub claims: serde_json::Value,
}

/// A token that was allowed but is not signed yet.
struct Draft<'a> {
    grant: Grant,
    key: Arc<SigningKey>,
    lifetime: Seconds,
    subject: String,
    claims: IdToken<'a>,
}

/// For whom a token is made: everything that the decision depends on.
enum Holder {
    /// A job with its request token.
    Job(Arc<TokenBearer>),
    /// A CI server that injects the token.
    Server { build: Box<StoredBuild>, client: Box<Client>, step: Option<Step> },
}

impl Holder {
    fn build(&self) -> &StoredBuild {
        match self {
            Self::Job(bearer) => &bearer.build,
            Self::Server { build, .. } => build,
        }
    }

    fn client(&self) -> &Client {
        match self {
            Self::Job(bearer) => &bearer.client,
            Self::Server { client, .. } => client,
        }
    }

    fn step(&self) -> Option<&Step> {
        match self {
            Self::Job(bearer) => bearer.token.step.as_ref(),
            Self::Server { step, .. } => step.as_ref(),
        }
    }

    fn token(&self) -> Option<&StoredRequestToken> {
        match self {
            Self::Job(bearer) => Some(&bearer.token),
            Self::Server { .. } => None,
        }
    }
}

impl Issuer {
    /// Serves a job that holds a request token: a token, or with `preview` everything but one.
    ///
    /// # Errors
    /// [`Declined`].
    pub async fn pull(
        self: &Arc<Self>,
        secret: &Secret<String>,
        path: &PullPath,
        request: TokenRequest,
        preview: bool,
    ) -> Result<Issued, Declined> {
        let digest = secret.digest();
        if let Some(recalled) = self.parts.store.recall_bearer(&self.id, digest) {
            // A recent reading may be stale: it is good enough to try, and never enough to refuse.
            match self.pull_as(recalled, path, request.clone(), preview).await {
                Err(Declined::Refused(Refusal::RateLimited { retry_after })) => {
                    return Err(Refusal::RateLimited { retry_after }.into());
                }
                Err(Declined::Refused(_)) => {}
                // A preview asks no transaction, so it can't be answered from a recent reading.
                Ok(Issued::Preview(_)) => {}
                done => return done,
            }
        }
        let bearer = self.parts.store.find_bearer(&self.id, digest).await?.ok_or(Refusal::Unauthenticated)?;
        self.pull_as(Arc::new(bearer), path, request, preview).await
    }

    async fn pull_as(
        self: &Arc<Self>,
        bearer: Arc<TokenBearer>,
        path: &PullPath,
        request: TokenRequest,
        preview: bool,
    ) -> Result<Issued, Declined> {
        let now = self.parts.clock.now();
        if bearer.token.kind == TokenKind::Worker || !path.names(&bearer.build) || !bearer.is_alive(now) {
            return Err(Refusal::Unauthenticated.into());
        }
        self.rates.count_build(bearer.build.id)?;
        let holder = Holder::Job(bearer);
        if preview { self.preview(holder, request, now).await } else { self.issue(holder, request, now).await }
    }

    /// Serves a CI server that injects tokens.
    ///
    /// # Errors
    /// [`Declined`].
    pub async fn issue_direct(
        self: &Arc<Self>,
        credential: &ClientCredential,
        id: BuildId,
        request: DirectRequest,
    ) -> Result<Issued, Declined> {
        let client = self.client(credential, Scope::BuildsTokens).await?;
        let build = self.running_build_of(&client, id).await?;
        let step = match request.step {
            Some(step) => Some(step.check(&build.build, true).map_err(Refusal::Invalid)?.step),
            None => None,
        };
        if let Some(audience) = request.token.audiences.iter().find(|audience| !client.may_address(audience)) {
            return Err(Refusal::ForbiddenAudience(audience.clone()).into());
        }
        self.rates.count_build(id)?;
        let now = self.parts.clock.now();
        let holder = Holder::Server { build: Box::new(build), client: Box::new(client), step };
        self.issue(holder, request.token, now).await.map_err(|declined| match declined {
            Declined::Refused(Refusal::Unauthenticated) => Refusal::BuildFinished.into(),
            other => other,
        })
    }

    async fn preview(self: &Arc<Self>, holder: Holder, request: TokenRequest, now: Moment) -> Result<Issued, Declined> {
        let issuer = Arc::clone(self);
        let work = move || -> Result<Issued, Declined> {
            let audiences = audiences(&request)?;
            let draft = issuer.draft(&holder, &request, &audiences, now)?;
            let claims = serde_json::to_value(&draft.claims).map_err(internal)?;
            Ok(Issued::Preview(Preview {
                subject: draft.subject.clone(),
                audiences: audiences.clone(),
                rule: draft.grant.rule.clone(),
                algorithm: draft.key.algorithm(),
                lifetime: draft.lifetime,
                claims,
            }))
        };
        self.parts.pool.run(work).await.map_err(Error::from)?
    }

    async fn issue(self: &Arc<Self>, holder: Holder, request: TokenRequest, now: Moment) -> Result<Issued, Declined> {
        let issuer = Arc::clone(self);
        let uses = holder.token().and_then(|token| token.max_uses).unwrap_or(u64::MAX);
        let work = move || issuer.sign(&holder, &request, now);
        let (token, issuance) = self.parts.pool.run(work).await.map_err(Error::from)??;
        let algorithm = issuance.row.alg;
        let quotas = Quotas::of(&issuance, uses);
        self.parts.store.record(&self.id, issuance).await?.map_err(|refused| quotas.refusal(refused))?;
        self.parts.metrics.token_issued(algorithm.name());
        Ok(Issued::Token(token))
    }

    /// Decides and signs; runs on the signing pool.
    fn sign(&self, holder: &Holder, request: &TokenRequest, now: Moment) -> Result<(IssuedToken, Issuance), Declined> {
        let audiences = audiences(request)?;
        let mut draft = self.draft(holder, request, &audiences, now)?;
        let jti = Jti::new(now, &*self.parts.entropy)?;
        draft.claims.jti = Some(jti);
        let claims = serde_json::to_string(&draft.claims).map_err(internal)?;
        let started = self.parts.clock.monotonic();
        let token = draft.key.sign(claims.as_bytes()).map_err(|error| Error::Internal(error.to_string()))?;
        self.parts.metrics.signed_in(self.parts.clock.monotonic().saturating_sub(started));
        if token.len() > MAX_TOKEN_BYTES {
            let largest = largest_claims(claims.as_bytes());
            return Err(Refusal::TokenTooLarge { bytes: token.len(), largest }.into());
        }
        let expires_at = draft.claims.window.exp;
        let build = holder.build();
        let row = AuditRow {
            jti,
            issued_at: now,
            expires_at,
            build_id: build.id,
            client_id: build.client.clone(),
            request_token_id: holder.token().map(|token| token.id),
            rule: draft.grant.rule.clone(),
            org: build.build.org.clone(),
            repo: build.build.repo.clone(),
            number: build.build.number,
            step: holder.step().map(|step| step.step.clone()),
            subject: draft.subject.clone(),
            audiences: audiences.as_slice().to_vec(),
            alg: draft.key.algorithm(),
            kid: draft.key.kid().to_owned(),
            token_sha256: Sha256::of(token.as_bytes()),
            peer: request.peer.clone(),
            claims,
        };
        let issuance = Issuance {
            row,
            tokens_per_build: self.terms.tokens_per_build,
            tokens_by_rule: draft.grant.max_tokens_per_build,
            now,
        };
        let (subject, rule, lifetime) = (draft.subject, draft.grant.rule, draft.lifetime);
        let token = Secret::new(token);
        Ok((IssuedToken { token, jti, expires_at, lifetime, subject, audiences, rule }, issuance))
    }

    /// Everything that may refuse a token before it is signed, in the order in which it is told.
    fn draft<'a>(
        &'a self,
        holder: &'a Holder,
        request: &TokenRequest,
        audiences: &'a Audiences,
        now: Moment,
    ) -> Result<Draft<'a>, Declined> {
        let build = &holder.build().build;
        let step = holder.step();
        let grant = self.grant(holder, request, audiences)?;
        let key = self.key(request.algorithm.or(grant.algorithm), now)?;
        let lifetime = self.lifetime(holder, request, &grant, now)?;
        let subject = self.terms.subject.render(build, step).map_err(Refusal::SubjectUnavailable)?;
        let subject = subject.as_str().to_owned();
        let claims = IdToken {
            issuer: self.paths.issuer().as_str(),
            subject: subject.clone(),
            audiences,
            window: Window::new(now, lifetime),
            jti: None,
            build_id: holder.build().id,
            build,
            step,
            presets: &self.terms.presets,
            extra: &self.terms.extra,
        };
        Ok(Draft { grant, key, lifetime, subject, claims })
    }

    fn grant(&self, holder: &Holder, request: &TokenRequest, audiences: &Audiences) -> Result<Grant, Refusal> {
        let of_build = holder.build().audiences.as_deref();
        let of_token = holder.token().and_then(|token| token.audiences.as_deref());
        let of_client = Some(holder.client().audiences.as_slice()).filter(|listed| !listed.is_empty());
        let narrowed: Vec<_> = [of_build, of_token, of_client].into_iter().flatten().collect();
        let ask = Ask {
            build: &holder.build().build,
            step: holder.step(),
            audiences: audiences.as_slice(),
            lifetime: request.lifetime,
            algorithm: request.algorithm,
            narrowed: &narrowed,
        };
        self.terms.policy.decide(&ask).map_err(Refusal::Denied)
    }

    fn key(&self, wanted: Option<Algorithm>, now: Moment) -> Result<Arc<SigningKey>, Declined> {
        let keys = self.parts.keyring.view();
        let Some(wanted) = wanted else {
            let first = self.terms.algorithms.iter().find_map(|algorithm| keys.signer(*algorithm, now));
            let default = self.terms.algorithms.first().copied().unwrap_or(Algorithm::Rs256);
            return first.ok_or_else(|| Error::NoSigner(default).into());
        };
        if !self.terms.algorithms.contains(&wanted) {
            let offered = self.terms.algorithms.clone();
            return Err(Refusal::AlgorithmNotOffered { asked: wanted, offered }.into());
        }
        keys.signer(wanted, now).ok_or_else(|| Error::NoSigner(wanted).into())
    }

    /// Given: exactly that, or a refusal. Absent: the smallest of the default, the rule's cap and the build's rest.
    fn lifetime(
        &self,
        holder: &Holder,
        request: &TokenRequest,
        grant: &Grant,
        now: Moment,
    ) -> Result<Seconds, Refusal> {
        let cap = grant.max_lifetime.map_or(self.terms.max_lifetime, |rule| rule.min(self.terms.max_lifetime));
        let allowed = cap.min(holder.build().deadline.since(now));
        match request.lifetime {
            Some(asked) if asked > allowed => {
                Err(Refusal::LifetimeNotAllowed { rule: grant.rule.clone(), asked, allowed })
            }
            Some(asked) => Ok(asked),
            None => Ok(self.terms.default_lifetime.min(allowed)),
        }
    }
}

/// The counts that the transaction judges, kept to say which one refused.
struct Quotas {
    build: u64,
    rule: Option<(String, u64)>,
    uses: u64,
}

impl Quotas {
    fn of(issuance: &Issuance, uses: u64) -> Self {
        let rule = issuance.row.rule.clone().zip(issuance.tokens_by_rule);
        Self { build: issuance.tokens_per_build.unwrap_or(u64::MAX), rule, uses }
    }

    fn refusal(self, refused: IssuanceRefusal) -> Refusal {
        match refused {
            IssuanceRefusal::Dead => Refusal::Unauthenticated,
            IssuanceRefusal::BuildQuota => Refusal::Quota(Quota::Build { allowed: self.build }),
            IssuanceRefusal::RuleQuota => {
                let (rule, allowed) = self.rule.unwrap_or_default();
                Refusal::Quota(Quota::Rule { rule, allowed })
            }
            IssuanceRefusal::TokenUses => Refusal::Quota(Quota::RequestToken { allowed: self.uses }),
        }
    }
}

fn audiences(request: &TokenRequest) -> Result<Audiences, Refusal> {
    Audiences::new(request.audiences.clone()).map_err(|error| match error {
        AudienceError::Required => Refusal::AudienceRequired,
        AudienceError::Field(field) => Refusal::Invalid(field),
    })
}

fn internal(error: serde_json::Error) -> Error {
    Error::Internal(format!("claims can't be rendered: {error}"))
}
