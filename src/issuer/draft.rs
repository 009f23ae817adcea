//! Decides on a request for one ID token: which rule allows the token, and which key, lifetime and claims it gets.
//! Nothing here signs or records a token.

use std::sync::Arc;

use super::issuer::Issuer;
use super::refusal::{IssueError, IssueRefusal, NotIssued};
use super::token_request::TokenRequest;
use crate::base::{Moment, Seconds};
use crate::claims::{AudienceError, AudiencePattern, Audiences, BuildStep, CheckedStep, IdToken, Window};
use crate::jose::{Algorithm, SigningKey};
use crate::policy::{Client, Grant, IssuanceRequest};
use crate::store::{StoredBuild, StoredRequestToken, TokenBearer};

/// An ID token that the issuance policy allows, not signed yet.
pub(super) struct TokenDraft<'a> {
    pub(super) grant: Grant,
    pub(super) key: Arc<SigningKey>,
    pub(super) lifetime: Seconds,
    pub(super) subject: String,
    pub(super) claims: IdToken<'a>,
}

/// To whom an ID token is issued: a job or a CI server, with the build that the token describes.
pub(super) enum Recipient {
    /// A job of the build, authenticated by request token.
    Job(Arc<TokenBearer>),
    /// The CI server that registered the build, which passes the token to a job.
    Server { build: Box<StoredBuild>, client: Box<Client>, step: Option<Box<CheckedStep>> },
}

impl Recipient {
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

    /// Returns the patterns of the audiences that the request token or the step allows; `None` if neither sets a limit.
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
    /// Makes every check that precedes the signature of an ID token. Returns the first refusal, or the token to sign.
    pub(super) fn draft<'a>(
        &'a self,
        recipient: &'a Recipient,
        request: &TokenRequest,
        audiences: &'a Audiences,
        now: Moment,
    ) -> Result<TokenDraft<'a>, NotIssued> {
        let build = &recipient.build().build;
        let step = recipient.step();
        let grant = self.grant(recipient, request, audiences)?;
        let key = self.key(request.algorithm.or(grant.algorithm), now)?;
        let lifetime = self.lifetime(recipient, request, &grant, now)?;
        let subject = self.settings.subject.render(build, step).map_err(IssueRefusal::SubjectUnavailable)?;
        let subject = subject.as_str().to_owned();
        let claims = IdToken {
            issuer: self.paths.issuer().as_str(),
            subject: subject.clone(),
            audiences,
            window: Window::new(now, lifetime),
            jti: None,
            build_id: recipient.build().id,
            build,
            step,
            presets: &self.settings.presets,
            extra: &self.settings.extra,
        };
        Ok(TokenDraft { grant, key, lifetime, subject, claims })
    }

    fn grant(
        &self,
        recipient: &Recipient,
        request: &TokenRequest,
        audiences: &Audiences,
    ) -> Result<Grant, IssueRefusal> {
        let build_audiences = recipient.build().audiences.as_deref();
        let step_audiences = recipient.step_audiences();
        let client_audiences = Some(recipient.client().audiences.as_slice()).filter(|listed| !listed.is_empty());
        let restrictions: Vec<_> = [build_audiences, step_audiences, client_audiences].into_iter().flatten().collect();
        let request = IssuanceRequest {
            build: &recipient.build().build,
            step: recipient.step(),
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

    /// Returns the requested lifetime, or refuses a lifetime that is not allowed. If no lifetime is requested, returns
    /// the smallest of the default lifetime, the rule's maximum and the time to the build's deadline.
    fn lifetime(
        &self,
        recipient: &Recipient,
        request: &TokenRequest,
        grant: &Grant,
        now: Moment,
    ) -> Result<Seconds, IssueRefusal> {
        let cap = grant.max_lifetime.map_or(self.settings.max_lifetime, |rule| rule.min(self.settings.max_lifetime));
        let allowed = cap.min(recipient.build().deadline.since(now));
        match request.lifetime {
            Some(requested) if requested > allowed => {
                Err(IssueRefusal::LifetimeNotAllowed { rule: grant.rule.clone(), requested, allowed })
            }
            Some(requested) => Ok(requested),
            None => Ok(self.settings.default_lifetime.min(allowed)),
        }
    }
}

/// Returns the requested audiences of an ID token, or refuses audiences that no token may have.
pub(super) fn audiences(request: &TokenRequest) -> Result<Audiences, IssueRefusal> {
    Audiences::new(request.audiences.clone()).map_err(|error| match error {
        AudienceError::Required => IssueRefusal::AudienceRequired,
        AudienceError::Field(field) => IssueRefusal::Invalid(field),
    })
}
