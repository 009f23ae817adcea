//! The decision on one ID token: rule, key, lifetime and claims. Signs nothing and records nothing.

use std::sync::Arc;

use super::issuer::Issuer;
use super::refusal::{IssueError, IssueRefusal, NotIssued};
use super::token_request::TokenRequest;
use crate::base::{Moment, Seconds};
use crate::claims::{AudienceError, AudiencePattern, Audiences, BuildStep, CheckedStep, IdToken, Window};
use crate::jose::{Algorithm, SigningKey};
use crate::policy::{Client, Grant, IssuanceRequest};
use crate::store::{StoredBuild, StoredRequestToken, TokenBearer};

/// A token that policy allows, not signed yet.
pub(super) struct TokenDraft<'a> {
    pub(super) grant: Grant,
    pub(super) key: Arc<SigningKey>,
    pub(super) lifetime: Seconds,
    pub(super) subject: String,
    pub(super) claims: IdToken<'a>,
}

/// The build, and the credential in its name, that a token is issued to.
pub(super) enum Holder {
    /// Job with its request token.
    Job(Arc<TokenBearer>),
    /// CI server that injects the token.
    Server { build: Box<StoredBuild>, client: Box<Client>, step: Option<Box<CheckedStep>> },
}

impl Holder {
    pub(super) fn build(&self) -> &StoredBuild {
        match self {
            Self::Job(bearer) => &bearer.build,
            Self::Server { build, .. } => build,
        }
    }

    pub(super) fn client(&self) -> &Client {
        match self {
            Self::Job(bearer) => &bearer.client,
            Self::Server { client, .. } => client,
        }
    }

    pub(super) fn step(&self) -> Option<&BuildStep> {
        match self {
            Self::Job(bearer) => bearer.token.step.as_ref(),
            Self::Server { step, .. } => step.as_ref().map(|step| &step.step),
        }
    }

    /// Audiences that the step is limited to, if any.
    fn step_audiences(&self) -> Option<&[AudiencePattern]> {
        match self {
            Self::Job(bearer) => bearer.token.audiences.as_deref(),
            Self::Server { step, .. } => step.as_ref()?.audiences.as_deref(),
        }
    }

    pub(super) fn token(&self) -> Option<&StoredRequestToken> {
        match self {
            Self::Job(bearer) => Some(&bearer.token),
            Self::Server { .. } => None,
        }
    }
}

impl Issuer {
    /// Applies every check that may refuse a token before it is signed. The first refusal is the one reported.
    pub(super) fn draft<'a>(
        &'a self,
        holder: &'a Holder,
        request: &TokenRequest,
        audiences: &'a Audiences,
        now: Moment,
    ) -> Result<TokenDraft<'a>, NotIssued> {
        let build = &holder.build().build;
        let step = holder.step();
        let grant = self.grant(holder, request, audiences)?;
        let key = self.key(request.algorithm.or(grant.algorithm), now)?;
        let lifetime = self.lifetime(holder, request, &grant, now)?;
        let subject = self.settings.subject.render(build, step).map_err(IssueRefusal::SubjectUnavailable)?;
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
            presets: &self.settings.presets,
            extra: &self.settings.extra,
        };
        Ok(TokenDraft { grant, key, lifetime, subject, claims })
    }

    fn grant(&self, holder: &Holder, request: &TokenRequest, audiences: &Audiences) -> Result<Grant, IssueRefusal> {
        let build_audiences = holder.build().audiences.as_deref();
        let step_audiences = holder.step_audiences();
        let client_audiences = Some(holder.client().audiences.as_slice()).filter(|listed| !listed.is_empty());
        let restrictions: Vec<_> = [build_audiences, step_audiences, client_audiences].into_iter().flatten().collect();
        let request = IssuanceRequest {
            build: &holder.build().build,
            step: holder.step(),
            audiences: audiences.as_slice(),
            lifetime: request.lifetime,
            algorithm: request.algorithm,
            restrictions: &restrictions,
        };
        self.settings.policy.decide(&request).map_err(IssueRefusal::Denied)
    }

    fn key(&self, algorithm: Option<Algorithm>, now: Moment) -> Result<Arc<SigningKey>, NotIssued> {
        let keys = self.parts.keyring.view();
        if let Some(requested) = algorithm.filter(|algorithm| !keys.algorithms().contains(algorithm)) {
            return Err(IssueRefusal::AlgorithmNotOffered { requested, offered: keys.algorithms().to_vec() }.into());
        }
        let signer = algorithm.map_or_else(|| keys.default_signer(now), |algorithm| keys.signer(algorithm, now));
        let signs_in = || keys.signs_from(algorithm, now).map(|from| from.since(now));
        signer.ok_or_else(|| IssueError::NoSigner { algorithm, signs_in: signs_in() }.into())
    }

    /// Returns the requested lifetime, or refuses it. If none is requested, returns the smallest of the default, the
    /// rule's cap and the time to the build's deadline.
    fn lifetime(
        &self,
        holder: &Holder,
        request: &TokenRequest,
        grant: &Grant,
        now: Moment,
    ) -> Result<Seconds, IssueRefusal> {
        let cap = grant.max_lifetime.map_or(self.settings.max_lifetime, |rule| rule.min(self.settings.max_lifetime));
        let allowed = cap.min(holder.build().deadline.since(now));
        match request.lifetime {
            Some(requested) if requested > allowed => {
                Err(IssueRefusal::LifetimeNotAllowed { rule: grant.rule.clone(), requested, allowed })
            }
            Some(requested) => Ok(requested),
            None => Ok(self.settings.default_lifetime.min(allowed)),
        }
    }
}

/// Checks the requested audiences.
pub(super) fn audiences(request: &TokenRequest) -> Result<Audiences, IssueRefusal> {
    Audiences::new(request.audiences.clone()).map_err(|error| match error {
        AudienceError::Required => IssueRefusal::AudienceRequired,
        AudienceError::Field(field) => IssueRefusal::Invalid(field),
    })
}
