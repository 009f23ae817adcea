//! Request tokens and worker tokens: digests, what they are bound to, when they die.

use std::sync::Arc;

use async_trait::async_trait;
use strum::{EnumString, IntoStaticStr};

use super::error::StoreError;
use super::stored_build::{BuildState, StoredBuild};
use crate::base::{BuildId, IssuerId, Moment, RequestTokenId, Sha256};
use crate::claims::{AudiencePattern, BuildStep};
use crate::policy::Client;

/// What a token is for; a token of one kind opens no door of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumString, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum TokenKind {
    /// Fetches ID tokens for the whole build.
    Build,
    /// Fetches ID tokens for one step.
    Step,
    /// Makes and ends the build's step tokens; fetches no ID token.
    Worker,
}

/// A token to store.
#[derive(Debug, Clone)]
pub struct NewRequestToken {
    /// Its id; not the secret.
    pub id: RequestTokenId,
    /// What it is for.
    pub kind: TokenKind,
    /// Digest of the secret.
    pub digest: Sha256,
    /// The step that it is bound to, for a step's.
    pub step: Option<BuildStep>,
    /// Audiences that it allows; `None` says nothing, an empty list allows none.
    pub audiences: Option<Vec<AudiencePattern>>,
    /// When it dies at the latest; never after its build's deadline.
    pub expires_at: Moment,
    /// How many ID tokens it may fetch.
    pub max_uses: Option<u64>,
}

/// A token as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRequestToken {
    /// Its id; not the secret.
    pub id: RequestTokenId,
    /// What it is for.
    pub kind: TokenKind,
    /// The step that it is bound to, for a step's.
    pub step: Option<BuildStep>,
    /// Audiences that it allows; `None` says nothing, an empty list allows none.
    pub audiences: Option<Vec<AudiencePattern>>,
    /// When it dies at the latest.
    pub expires_at: Moment,
    /// When it was ended, if it was.
    pub ended_at: Option<Moment>,
    /// How many ID tokens it may fetch.
    pub max_uses: Option<u64>,
    /// How many ID tokens it fetched.
    pub uses: u64,
}

/// Who holds a token: the token, its build, and the build's client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenBearer {
    /// The token.
    pub token: StoredRequestToken,
    /// Its build.
    pub build: StoredBuild,
    /// The client that registered the build.
    pub client: Client,
}

impl TokenBearer {
    /// Is the token alive: itself, its build and its client?
    #[must_use]
    pub fn is_alive(&self, now: Moment) -> bool {
        self.token.ended_at.is_none()
            && self.token.expires_at > now
            && self.build.state(now) == BuildState::Running
            && self.client.disabled_at.is_none()
    }
}

/// The build is not running any more (or its client is disabled), so no token is made for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the build is not running")]
pub struct BuildNotRunning;

/// The request tokens of an issuer.
#[async_trait]
pub trait RequestTokens {
    /// Stores a token for a build that runs; that it runs is judged inside the transaction.
    ///
    /// # Errors
    /// [`StoreError`]; the inner error when the build does not run.
    async fn create_request_token(
        &self,
        issuer: &IssuerId,
        build: BuildId,
        new: &NewRequestToken,
        now: Moment,
    ) -> Result<Result<(), BuildNotRunning>, StoreError>;

    /// Ends a step's token. `false` if the build has no such step token; ending twice changes nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn end_request_token(
        &self,
        issuer: &IssuerId,
        build: BuildId,
        token: RequestTokenId,
        now: Moment,
    ) -> Result<bool, StoreError>;

    /// Who holds the token of this digest, dead ones too.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_bearer(&self, issuer: &IssuerId, digest: Sha256) -> Result<Option<TokenBearer>, StoreError>;

    /// The holder of this token as it was read lately; `None` where that is not known, which says nothing of the token.
    ///
    /// It may be stale in everything that changes (life, uses, the client's limits), so it is good for going on to
    /// [`Audit::record`](super::Audit::record), which decides; before a refusal, read again with
    /// [`find_bearer`](Self::find_bearer).
    fn recall_bearer(&self, issuer: &IssuerId, digest: Sha256) -> Option<Arc<TokenBearer>>;
}
