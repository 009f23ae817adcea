//! Issues one ID token: decides on the request, signs the token, records the token.
//!
//! A token never leaves the server before the token's audit row is on disk. The transaction that writes the row refuses
//! the token if the build has finished, the request token was revoked or the client was disabled.

use std::sync::Arc;

use super::draft::{Recipient, audiences};
use super::issued::{Issued, IssuedToken, Preview};
use super::issuer::Issuer;
use super::refusal::{IssueError, IssueRefusal, NotIssued, Quota};
use super::token_request::{DirectRequest, PullPath, TokenRequest};
use crate::base::{BuildId, FieldError, Jti, Moment, Secret, Sha256};
use crate::claims::{CheckedStep, MAX_TOKEN_BYTES, largest_claims};
use crate::keyring::WorkOf;
use crate::policy::Client;
use crate::store::{AuditRow, Issuance, IssuanceRefusal, TokenBearer, TokenKind};

impl Issuer {
    /// Issues an ID token to a job that presents a request token. With `preview` no token is signed or recorded.
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
        // This check comes first, since a wrong clock would make every request token look expired.
        self.parts.keyring.ready_to_sign(now).await?;
        let mut counted = false;
        // A cached request token may be outdated, for example revoked by now. The transaction that records an ID token
        // notices this, so the cache suffices to try, but never to refuse. A preview runs no such transaction, so a
        // preview reads the database.
        let cached = if preview { None } else { self.parts.store.cached_bearer(&self.id, digest) };
        if let Some(cached) = cached.filter(|cached| opens(cached, path, now)) {
            self.rates.count_token(cached.token.id)?;
            counted = true;
            match self.issue(Recipient::Job(cached), request.clone(), now).await {
                // The cached request token may be outdated, so the database is read below. Every other refusal is
                // final.
                Err(NotIssued::Refused(IssueRefusal::Unauthenticated)) => {}
                outcome => return outcome,
            }
        }
        let found = self.parts.store.find_bearer(&self.id, digest).await?;
        let bearer = found.filter(|bearer| opens(bearer, path, now)).ok_or(IssueRefusal::Unauthenticated)?;
        if !counted {
            self.rates.count_token(bearer.token.id)?;
        }
        let recipient = Recipient::Job(Arc::new(bearer));
        if preview { self.preview(recipient, request, now).await } else { self.issue(recipient, request, now).await }
    }

    /// Issues an ID token directly to a CI server, which passes the token to a job. The caller has authenticated the
    /// client and checked its scope `builds:tokens`.
    ///
    /// # Errors
    /// [`NotIssued`].
    pub(crate) async fn issue_direct(
        self: &Arc<Self>,
        client: Client,
        id: BuildId,
        request: DirectRequest,
    ) -> Result<Issued, NotIssued> {
        let now = self.parts.clock.now();
        self.parts.keyring.ready_to_sign(now).await?;
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
        let recipient = Recipient::Server { build: Box::new(build), client: Box::new(client), step };
        self.issue(recipient, request.token, now).await.map_err(|declined| match declined {
            NotIssued::Refused(IssueRefusal::Unauthenticated) => IssueRefusal::BuildFinished.into(),
            other => other,
        })
    }

    async fn preview(
        self: &Arc<Self>,
        recipient: Recipient,
        request: TokenRequest,
        now: Moment,
    ) -> Result<Issued, NotIssued> {
        let issuer = Arc::clone(self);
        let key = WorkOf::Build(recipient.build().id);
        let work = move || -> Result<Issued, NotIssued> {
            let audiences = audiences(&request)?;
            let draft = issuer.draft(&recipient, &request, &audiences, now)?;
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
        self.parts.pool.run(key, work).await.map_err(IssueError::from)?
    }

    async fn issue(
        self: &Arc<Self>,
        recipient: Recipient,
        request: TokenRequest,
        now: Moment,
    ) -> Result<Issued, NotIssued> {
        let issuer = Arc::clone(self);
        let key = WorkOf::Build(recipient.build().id);
        let uses = recipient.token().and_then(|token| token.max_uses).unwrap_or(u64::MAX);
        let work = move || issuer.sign(&recipient, &request, now);
        let (token, issuance) = self.parts.pool.run(key, work).await.map_err(IssueError::from)??;
        let algorithm = issuance.row.alg;
        let quotas = Quotas::of(&issuance, uses);
        self.parts.store.record(&self.id, issuance).await?.map_err(|refused| quotas.refusal(refused))?;
        self.parts.metrics.token_issued(algorithm.name());
        Ok(Issued::Token(token))
    }

    /// Decides on the request and signs the token. Must run on the signing pool.
    fn sign(
        &self,
        recipient: &Recipient,
        request: &TokenRequest,
        now: Moment,
    ) -> Result<(IssuedToken, Issuance), NotIssued> {
        let audiences = audiences(request)?;
        let mut draft = self.draft(recipient, request, &audiences, now)?;
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
        let build = recipient.build();
        let row = AuditRow {
            jti,
            issued_at: now,
            expires_at,
            build_id: build.id,
            client_id: build.client.clone(),
            request_token_id: recipient.token().map(|token| token.id),
            rule: draft.grant.rule.clone(),
            org: build.build.org.clone(),
            repo: build.build.repo.clone(),
            number: build.build.number,
            step: recipient.step().map(|step| step.step.clone()),
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
            client_revision: recipient.client().revision,
            now,
        };
        let (subject, rule, lifetime) = (draft.subject, draft.grant.rule, draft.lifetime);
        let token = Secret::new(token);
        Ok((IssuedToken { token, jti, expires_at, lifetime, subject, audiences, rule }, issuance))
    }
}

/// Quotas that the store checks when it writes the audit row. Kept here, so that a refusal can name the quota that is
/// used up.
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

/// Returns whether the request token is valid at `now` and belongs to the build that `path` names.
fn opens(bearer: &TokenBearer, path: &PullPath, now: Moment) -> bool {
    bearer.token.kind != TokenKind::Worker && path.names(&bearer.build) && bearer.is_active(now)
}

/// Refuses fields of the step that limit a request token, since an ID token that a CI server requests directly has no
/// request token.
fn check_direct_step(step: CheckedStep) -> Result<CheckedStep, FieldError> {
    const UNUSED: &str = "applies to request tokens only, and this endpoint issues an ID token: leave it out";
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
