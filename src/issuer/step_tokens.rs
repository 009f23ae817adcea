//! Creates and revokes step tokens: request tokens of single steps, for the client or the worker of a build. A step
//! token works for its step alone, so that no step can use the step token of another step.

use std::sync::Arc;

use super::authentication::TokenCaller;
use super::environment::JobEnvironment;
use super::issuer::Issuer;
use super::refusal::{IssueRefusal, NotIssued, Quota};
use crate::base::{BuildId, Moment, RequestTokenId, Secret};
use crate::claims::StepRequest;
use crate::policy::Scope;
use crate::store::{NewRequestToken, StoredBuild, TokenKind, TokenNotCreated};

/// A created step token, as the client or worker receives it.
#[derive(Debug)]
pub(crate) struct StepToken {
    /// Id of the step token, which is not secret and serves to revoke the token.
    pub(crate) id: RequestTokenId,
    /// Environment variables for the step, with the step token as request token.
    pub(crate) environment: JobEnvironment,
    pub(crate) expires_at: Moment,
}

/// An authenticated client or worker, and the running build that the caller may create step tokens for.
pub(crate) struct StepTokenCreator {
    build: Arc<StoredBuild>,
    is_client: bool,
}

impl Issuer {
    /// Authenticates a client or worker that wants to create step tokens of a running build.
    ///
    /// # Errors
    /// [`NotIssued`].
    pub(crate) async fn step_token_creator(
        &self,
        caller: &TokenCaller,
        id: BuildId,
    ) -> Result<StepTokenCreator, NotIssued> {
        match caller {
            TokenCaller::Client(credential) => {
                let client = self.client(credential, Scope::BuildsTokens).await?;
                Ok(StepTokenCreator { build: Arc::new(self.running_build_of(&client, id).await?), is_client: true })
            }
            TokenCaller::Worker(secret) => {
                Ok(StepTokenCreator { build: self.worker(id, secret).await?.build, is_client: false })
            }
        }
    }

    /// Creates a step token for one step of a running build.
    ///
    /// # Errors
    /// [`NotIssued`].
    pub(crate) async fn create_step_token(
        &self,
        creator: StepTokenCreator,
        request: StepRequest,
    ) -> Result<StepToken, NotIssued> {
        let StepTokenCreator { build, is_client: from_client } = creator;
        let checked = request.check(&build.build, from_client).map_err(IssueRefusal::Invalid)?;
        let now = self.parts.clock.now();
        let entropy = &*self.parts.entropy;
        let secret = Secret::draw("bpr_", entropy)?;
        let expires_at = checked.lifetime.map_or(build.deadline, |lifetime| build.deadline.min(now + lifetime));
        let new = NewRequestToken {
            id: RequestTokenId::new(now, entropy)?,
            kind: TokenKind::Step,
            digest: secret.digest(),
            step: Some(checked.step),
            audiences: checked.audiences,
            expires_at,
            max_uses: checked.max_uses,
        };
        let most = self.settings.step_tokens_per_build;
        match self.parts.store.create_request_token(&self.id, build.id, &new, most, now).await? {
            Ok(()) => {
                let environment = JobEnvironment::new(&self.paths, build.id, &build.build, secret);
                Ok(StepToken { id: new.id, environment, expires_at })
            }
            Err(TokenNotCreated::TooMany) => {
                Err(IssueRefusal::Quota(Quota::StepTokens { allowed: most.unwrap_or(u64::MAX) }).into())
            }
            Err(TokenNotCreated::BuildNotRunning) if from_client => Err(IssueRefusal::BuildFinished.into()),
            Err(TokenNotCreated::BuildNotRunning) => Err(IssueRefusal::Unauthenticated.into()),
        }
    }

    /// Authenticates a client or worker and revokes a step token of a build.
    ///
    /// # Errors
    /// [`NotIssued`].
    pub(crate) async fn revoke_step_token(
        &self,
        caller: &TokenCaller,
        id: BuildId,
        token: RequestTokenId,
    ) -> Result<(), NotIssued> {
        match caller {
            TokenCaller::Client(credential) => {
                let client = self.client(credential, Scope::BuildsTokens).await?;
                self.build_of(&client, id).await?;
            }
            TokenCaller::Worker(secret) => {
                self.worker(id, secret).await?;
            }
        }
        match self.parts.store.end_request_token(&self.id, id, token, self.parts.clock.now()).await? {
            true => Ok(()),
            false => Err(IssueRefusal::NotFound.into()),
        }
    }
}
