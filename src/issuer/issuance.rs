//! Issuing one ID token: decide, sign, record.
//!
//! A token never leaves before its audit row is on disk, and never after its build has finished or its request token or
//! client was revoked: the transaction that records the token checks all of them.

use std::sync::Arc;

use super::authentication::ClientCredential;
use super::draft::{Holder, audiences};
use super::issued::{Issued, IssuedToken, Preview};
use super::issuer::Issuer;
use super::refusal::{IssueError, IssueRefusal, NotIssued, Quota};
use super::token_request::{DirectRequest, PullPath, TokenRequest};
use crate::base::{BuildId, FieldError, Jti, Moment, Secret, Sha256};
use crate::claims::{CheckedStep, MAX_TOKEN_BYTES, largest_claims};
use crate::policy::Scope;
use crate::store::{AuditRow, Issuance, IssuanceRefusal, TokenBearer, TokenKind};

impl Issuer {
    /// Issues an ID token to a job that holds a request token. With `preview` nothing is signed or recorded.
    ///
    /// # Errors
    /// [`NotIssued`].
    pub(crate) async fn pull(
        self: &Arc<Self>,
        secret: &Secret<String>,
        path: &PullPath,
        request: TokenRequest,
        preview: bool,
    ) -> Result<Issued, NotIssued> {
        let digest = secret.digest();
        let now = self.parts.clock.now();
        // First of all: a wrong clock would make every credential look expired.
        self.parts.keyring.ready_to_sign(now).await?;
        let mut counted = false;
        // A cached request token may be stale: it suffices to try, and never to refuse. A preview runs no transaction
        // that would notice, so it reads the database.
        let cached = if preview { None } else { self.parts.store.cached_bearer(&self.id, digest) };
        if let Some(cached) = cached.filter(|cached| opens(cached, path, now)) {
            self.rates.count_token(cached.token.id)?;
            counted = true;
            match self.issue(Holder::Job(cached), request.clone(), now).await {
                // Perhaps only the cache is stale; every other refusal is final.
                Err(NotIssued::Refused(IssueRefusal::Unauthenticated)) => {}
                outcome => return outcome,
            }
        }
        let found = self.parts.store.find_bearer(&self.id, digest).await?;
        let bearer = found.filter(|bearer| opens(bearer, path, now)).ok_or(IssueRefusal::Unauthenticated)?;
        if !counted {
            self.rates.count_token(bearer.token.id)?;
        }
        let holder = Holder::Job(Arc::new(bearer));
        if preview { self.preview(holder, request, now).await } else { self.issue(holder, request, now).await }
    }

    /// Issues an ID token to a CI server that injects it into a job.
    ///
    /// # Errors
    /// [`NotIssued`].
    pub(crate) async fn issue_direct(
        self: &Arc<Self>,
        credential: &ClientCredential,
        id: BuildId,
        request: DirectRequest,
    ) -> Result<Issued, NotIssued> {
        let now = self.parts.clock.now();
        self.parts.keyring.ready_to_sign(now).await?;
        let client = self.client(credential, Scope::BuildsTokens).await?;
        let build = self.running_build_of(&client, id).await?;
        let step = match request.step {
            Some(step) => {
                let checked = step.check(&build.build, true).and_then(check_direct_step);
                Some(Box::new(checked.map_err(IssueRefusal::Invalid)?))
            }
            None => None,
        };
        if let Some(audience) = request.token.audiences.iter().find(|audience| !client.may_address(audience)) {
            return Err(IssueRefusal::ForbiddenAudience(audience.clone()).into());
        }
        self.rates.count_build(id)?;
        let holder = Holder::Server { build: Box::new(build), client: Box::new(client), step };
        self.issue(holder, request.token, now).await.map_err(|declined| match declined {
            NotIssued::Refused(IssueRefusal::Unauthenticated) => IssueRefusal::BuildFinished.into(),
            other => other,
        })
    }

    async fn preview(
        self: &Arc<Self>,
        holder: Holder,
        request: TokenRequest,
        now: Moment,
    ) -> Result<Issued, NotIssued> {
        let issuer = Arc::clone(self);
        let work = move || -> Result<Issued, NotIssued> {
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
        self.parts.pool.run(work).await.map_err(IssueError::from)?
    }

    async fn issue(self: &Arc<Self>, holder: Holder, request: TokenRequest, now: Moment) -> Result<Issued, NotIssued> {
        let issuer = Arc::clone(self);
        let uses = holder.token().and_then(|token| token.max_uses).unwrap_or(u64::MAX);
        let work = move || issuer.sign(&holder, &request, now);
        let (token, issuance) = self.parts.pool.run(work).await.map_err(IssueError::from)??;
        let algorithm = issuance.row.alg;
        let quotas = Quotas::of(&issuance, uses);
        self.parts.store.record(&self.id, issuance).await?.map_err(|refused| quotas.refusal(refused))?;
        self.parts.metrics.token_issued(algorithm.name());
        Ok(Issued::Token(token))
    }

    /// Decides and signs; runs on the signing pool.
    fn sign(&self, holder: &Holder, request: &TokenRequest, now: Moment) -> Result<(IssuedToken, Issuance), NotIssued> {
        let audiences = audiences(request)?;
        let mut draft = self.draft(holder, request, &audiences, now)?;
        let jti = Jti::new(now, &*self.parts.entropy)?;
        draft.claims.jti = Some(jti);
        let claims = serde_json::to_string(&draft.claims).map_err(internal)?;
        let started = self.parts.clock.monotonic();
        let token = draft.key.sign(claims.as_bytes()).map_err(|error| IssueError::Internal(error.to_string()))?;
        self.parts.metrics.signed_in(self.parts.clock.monotonic().saturating_sub(started));
        if token.len() > MAX_TOKEN_BYTES {
            let largest = largest_claims(claims.as_bytes());
            return Err(IssueRefusal::TokenTooLarge { bytes: token.len(), largest }.into());
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
            tokens_per_build: self.settings.tokens_per_build,
            tokens_by_rule: draft.grant.max_tokens_per_build,
            client_revision: holder.client().revision,
            now,
        };
        let (subject, rule, lifetime) = (draft.subject, draft.grant.rule, draft.lifetime);
        let token = Secret::new(token);
        Ok((IssuedToken { token, jti, expires_at, lifetime, subject, audiences, rule }, issuance))
    }
}

/// Quotas that the transaction checks, kept to report the one that refused.
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

    fn refusal(self, refused: IssuanceRefusal) -> IssueRefusal {
        match refused {
            IssuanceRefusal::NotActive => IssueRefusal::Unauthenticated,
            IssuanceRefusal::BuildQuota => IssueRefusal::Quota(Quota::Build { allowed: self.build }),
            IssuanceRefusal::RuleQuota => {
                let (rule, allowed) = self.rule.unwrap_or_default();
                IssueRefusal::Quota(Quota::Rule { rule, allowed })
            }
            IssuanceRefusal::TokenUses => IssueRefusal::Quota(Quota::RequestToken { allowed: self.uses }),
        }
    }
}

/// Whether the request token is valid at `now` for the build that `path` names.
fn opens(bearer: &TokenBearer, path: &PullPath, now: Moment) -> bool {
    bearer.token.kind != TokenKind::Worker && path.names(&bearer.build) && bearer.is_active(now)
}

/// Refuses limits of a request token, since a direct token has none.
fn check_direct_step(step: CheckedStep) -> Result<CheckedStep, FieldError> {
    const UNUSED: &str = "limits a request token, and this endpoint issues none; leave it out";
    if step.lifetime.is_some() {
        return Err(FieldError::new("step.lifetime", UNUSED));
    }
    if step.max_uses.is_some() {
        return Err(FieldError::new("step.max_uses", UNUSED));
    }
    Ok(step)
}

fn internal(error: serde_json::Error) -> IssueError {
    IssueError::Internal(format!("could not serialise the claims: {error}"))
}
