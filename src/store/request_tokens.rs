//! Storage of request tokens and worker tokens: the digest, the build or step, the expiry and the uses of each. The
//! text of a token is never stored.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use strum::{EnumString, IntoStaticStr};

use super::error::{Outcome, StoreError};
use super::stored_build::{BuildState, StoredBuild};
use crate::base::{BuildId, IssuerId, Moment, RequestTokenId, Sha256};
use crate::claims::{AudiencePattern, BuildStep};
use crate::policy::Client;

/// What a request token or worker token may do; a token of one kind is never accepted in place of another kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumString, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum TokenKind {
    /// Request token that fetches ID tokens for the whole build.
    Build,
    /// Request token that fetches ID tokens for one step of the build.
    Step,
    /// Worker token, which creates and revokes the build's step tokens and fetches no ID token.
    Worker,
}

/// A request token or worker token to store.
#[derive(Debug, Clone)]
pub struct NewRequestToken {
    /// Id of the token, which is not secret.
    pub id: RequestTokenId,
    /// What the token may do.
    pub kind: TokenKind,
    /// SHA-256 digest of the token's text, by which the token is found.
    pub digest: Sha256,
    /// Step that the token is bound to; `None` for a token of the whole build.
    pub step: Option<BuildStep>,
    /// Audiences for which the token fetches ID tokens: `None` allows all that the build allows, an empty list allows
    /// none.
    pub audiences: Option<Vec<AudiencePattern>>,
    /// Time at which the token expires, never after the build's deadline.
    pub expires_at: Moment,
    /// Maximum number of ID tokens that the token may fetch; `None` for no limit.
    pub max_uses: Option<u64>,
}

/// A request token or worker token as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRequestToken {
    /// Id of the token, which is not secret.
    pub id: RequestTokenId,
    /// What the token may do.
    pub kind: TokenKind,
    /// Step that the token is bound to; `None` for a token of the whole build.
    pub step: Option<BuildStep>,
    /// Audiences for which the token fetches ID tokens: `None` allows all that the build allows, an empty list allows
    /// none.
    pub audiences: Option<Vec<AudiencePattern>>,
    /// Time at which the token expires.
    pub expires_at: Moment,
    /// Time at which the token was revoked; `None` if the token is not revoked.
    pub ended_at: Option<Moment>,
    /// Maximum number of ID tokens that the token may fetch; `None` for no limit.
    pub max_uses: Option<u64>,
    /// Number of ID tokens that the token has fetched.
    pub uses: u64,
}

/// A request token or worker token, with the token's build and the build's client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenBearer {
    /// The request token or worker token.
    pub token: StoredRequestToken,
    /// Build that the token was created for.
    pub build: Arc<StoredBuild>,
    /// The client that registered the build.
    pub client: Arc<Client>,
}

impl TokenBearer {
    /// Returns whether the token, the build and the client are all active at `now`.
    #[must_use]
    pub fn is_active(&self, now: Moment) -> bool {
        self.token.ended_at.is_none()
            && self.token.expires_at > now
            && self.build.state(now) == BuildState::Running
            && self.client.disabled_at.is_none()
    }
}

/// Error returned when a step token cannot be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenNotCreated {
    /// The build is not running, or its client is disabled.
    #[error("the build is not running")]
    BuildNotRunning,
    /// The build has the maximum number of step tokens that are neither revoked nor expired.
    #[error("the build has too many step tokens")]
    TooMany,
}

/// Storage of an issuer's request tokens and worker tokens.
#[async_trait]
pub trait RequestTokens {
    /// Stores a step token of a build; the transaction checks that the build runs and has fewer than `most_living` step
    /// tokens that are neither revoked nor expired. PostgreSQL may store a few more if several transactions run at
    /// once.
    ///
    /// # Errors
    /// [`StoreError`]; the inner error if the build does not run or has too many step tokens.
    async fn create_request_token(
        &self,
        issuer: &IssuerId,
        build: BuildId,
        new: &NewRequestToken,
        most_living: Option<u64>,
        now: Moment,
    ) -> Outcome<(), TokenNotCreated>;

    /// Revokes a step token, and erases its list of audiences. Returns `false` if the build has no step token with this
    /// id. Revoking a revoked token changes nothing.
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

    /// Finds a request token or worker token by its digest, even if the token is expired or revoked.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_bearer(&self, issuer: &IssuerId, digest: Sha256) -> Result<Option<TokenBearer>, StoreError>;

    /// Returns a token from the cache; `None` if the token is not cached, though the token may be stored.
    ///
    /// The cached token, build and client may be stale. They suffice to issue an ID token, since
    /// [`Audit::record`](super::Audit::record) checks the stored state. Before a refusal, read the token again with
    /// [`find_bearer`](Self::find_bearer).
    fn cached_bearer(&self, issuer: &IssuerId, digest: Sha256) -> Option<Arc<TokenBearer>>;

    /// Sets the memory that cached tokens may hold, in bytes.
    fn bound_request_token_cache(&self, bytes: usize);

    /// Drops cached tokens that nobody has read for several minutes. `now` is a reading of the monotonic clock.
    fn age_request_token_cache(&self, now: Duration);
}
