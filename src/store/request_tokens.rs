//! Request tokens and worker tokens: their digests, the build or step that they are bound to, when they expire.

use std::sync::Arc;

use async_trait::async_trait;
use strum::{EnumString, IntoStaticStr};

use super::error::{Outcome, StoreError};
use super::stored_build::{BuildState, StoredBuild};
use crate::base::{BuildId, IssuerId, Moment, RequestTokenId, Sha256};
use crate::claims::{AudiencePattern, BuildStep};
use crate::policy::Client;

/// Kind of a token; a token of one kind is not accepted in place of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumString, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum TokenKind {
    /// Fetches ID tokens for the whole build.
    Build,
    /// Fetches ID tokens for one step.
    Step,
    /// Creates and revokes the build's step tokens; fetches no ID token.
    Worker,
}

/// A request token to store.
#[derive(Debug, Clone)]
pub struct NewRequestToken {
    /// Id of the token, which is not secret.
    pub id: RequestTokenId,
    /// Kind of the token.
    pub kind: TokenKind,
    /// SHA-256 digest of the token's text.
    pub digest: Sha256,
    /// Step that the token is bound to, for a step token.
    pub step: Option<BuildStep>,
    /// Audiences that the token allows: `None` leaves them to its build, an empty list allows none.
    pub audiences: Option<Vec<AudiencePattern>>,
    /// Time at which the token expires, never after its build's deadline.
    pub expires_at: Moment,
    /// Maximum number of ID tokens that the token may fetch; `None` for no limit.
    pub max_uses: Option<u64>,
}

/// A request token as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRequestToken {
    /// Id of the token, which is not secret.
    pub id: RequestTokenId,
    /// Kind of the token.
    pub kind: TokenKind,
    /// Step that the token is bound to, for a step token.
    pub step: Option<BuildStep>,
    /// Audiences that the token allows: `None` leaves them to its build, an empty list allows none.
    pub audiences: Option<Vec<AudiencePattern>>,
    /// Time at which the token expires.
    pub expires_at: Moment,
    /// Time of revocation, if the token was revoked.
    pub ended_at: Option<Moment>,
    /// Maximum number of ID tokens that the token may fetch; `None` for no limit.
    pub max_uses: Option<u64>,
    /// Number of ID tokens that the token has fetched.
    pub uses: u64,
}

/// A request token with its build and the build's client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenBearer {
    /// Request token or worker token.
    pub token: StoredRequestToken,
    /// Build that the token belongs to.
    pub build: StoredBuild,
    /// The client that registered the build.
    pub client: Client,
}

impl TokenBearer {
    /// Returns whether token, build and client are active at `now`.
    #[must_use]
    pub fn is_active(&self, now: Moment) -> bool {
        self.token.ended_at.is_none()
            && self.token.expires_at > now
            && self.build.state(now) == BuildState::Running
            && self.client.disabled_at.is_none()
    }
}

/// Error returned when a build is not running or its client is disabled, so that it gets no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the build is not running")]
pub struct BuildNotRunning;

/// Request tokens of an issuer.
#[async_trait]
pub trait RequestTokens {
    /// Stores a token for a running build; the transaction checks that the build runs.
    ///
    /// # Errors
    /// [`StoreError`]; the inner error if the build does not run.
    async fn create_request_token(
        &self,
        issuer: &IssuerId,
        build: BuildId,
        new: &NewRequestToken,
        now: Moment,
    ) -> Outcome<(), BuildNotRunning>;

    /// Revokes a step token. Returns `false` if the build has no such step token; revoking twice changes nothing.
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

    /// Finds a token by its digest, expired and revoked ones included.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_bearer(&self, issuer: &IssuerId, digest: Sha256) -> Result<Option<TokenBearer>, StoreError>;

    /// Returns a token from the cache; `None` if it is not cached, which says nothing about the token.
    ///
    /// State, uses and the client's limits may be stale. The result is good enough to go on to
    /// [`Audit::record`](super::Audit::record), which decides; before a refusal, read again with
    /// [`find_bearer`](Self::find_bearer).
    fn cached_bearer(&self, issuer: &IssuerId, digest: Sha256) -> Option<Arc<TokenBearer>>;
}
