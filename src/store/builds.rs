//! Storage of builds: registering, finding and finishing a build. A finished or expired build never runs again.

use async_trait::async_trait;

use super::error::{Outcome, StoreError};
use super::names::NameKind;
use super::request_tokens::NewRequestToken;
use super::stored_build::{Finish, StoredBuild};
use crate::base::{BuildId, ClientId, IssuerId, Moment, Sha256};
use crate::claims::{AudiencePattern, Build};
use crate::policy::Client;

/// A build to register, with the request tokens that are created in the same transaction.
#[derive(Debug, Clone)]
pub struct NewBuild {
    /// Id of the build.
    pub id: BuildId,
    /// Key of the build, unique among the client's builds. The CI server may choose the key; otherwise it is
    /// `org/repo#number.attempt`, where `attempt` distinguishes the restarts of a build.
    pub key: String,
    /// SHA-256 digest of the registration request's body. A client that repeats the request because the answer was lost
    /// must send an equal body.
    pub body: Sha256,
    /// Claims of the build, as registered.
    pub build: Build,
    /// Audiences that the registration allows for the build's tokens: `None` allows all that the client may use, an
    /// empty list allows none.
    pub audiences: Option<Vec<AudiencePattern>>,
    /// Time at which the build was registered.
    pub registered_at: Moment,
    /// Time at which the build expires unless the build was finished before.
    pub deadline: Moment,
    /// Worker token and build-wide request token to create with the build; empty if the client may not have such
    /// tokens.
    pub tokens: Vec<NewRequestToken>,
}

/// Rename of an organisation or repository: a registration gave a known id a new name. The registering client may act
/// for every name that the id has had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    /// Whether an organisation or a repository was renamed.
    pub kind: NameKind,
    /// Immutable id of the renamed organisation or repository.
    pub id: String,
    /// Name of the organisation or repository before the rename.
    pub from: String,
    /// Name of the organisation or repository after the rename.
    pub to: String,
}

/// Result of a registration that was not refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildRegistration {
    /// A new build was created.
    New {
        /// Organisations and repositories that this registration renamed.
        renames: Vec<Rename>,
        /// Names that were registered without an id before and are now bound to an id, as pairs of kind and name.
        ids_taken: Vec<(NameKind, String)>,
    },
    /// The client repeated the registration (same key and body) within 60 s while the build runs. New tokens replace
    /// the build's worker token and build-wide request token, which are revoked; step tokens stay valid. The new tokens
    /// expire at the deadline that the first registration set.
    Repeated(Box<StoredBuild>),
}

/// Reason why a build was not registered; nothing was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistrationRefusal {
    /// The client has registered another build under this key before; holds the id of that build.
    BuildExists(BuildId),
    /// The client was disabled after it was authenticated.
    ClientDisabled,
    /// The id of the organisation or repository is bound to a name that this client may not act for.
    IdBound {
        /// Whether the id belongs to an organisation or to a repository.
        kind: NameKind,
    },
    /// The name is bound to another id, or the registration lacks the id that the name is bound to.
    NameBound {
        /// Whether the name belongs to an organisation or to a repository.
        kind: NameKind,
        /// Name of the organisation or repository in the registration.
        name: String,
    },
}

/// Time after a registration within which the client may repeat the request because the answer was lost.
pub const REPEAT_WITHIN: crate::base::Seconds = crate::base::Seconds::new(60);

/// Storage of an issuer's builds.
#[async_trait]
pub trait Builds {
    /// Registers a build, binds the names of the build's organisation and repository to their ids, and creates the
    /// build's tokens, in one transaction.
    ///
    /// `client` is the client as authentication read it; the transaction checks again that the client is enabled.
    ///
    /// # Errors
    /// [`StoreError`]; the inner error if the registration is refused.
    async fn register_build(
        &self,
        issuer: &IssuerId,
        client: &Client,
        new: &NewBuild,
    ) -> Outcome<BuildRegistration, RegistrationRefusal>;

    /// Finds a build by its id.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_build(&self, issuer: &IssuerId, id: BuildId) -> Result<Option<StoredBuild>, StoreError>;

    /// Finishes a running build of `client` with `status`; a second call does not replace the first status. Returns
    /// `false` if the client has no build with this id. An expired build stays expired.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn finish_build(
        &self,
        issuer: &IssuerId,
        id: BuildId,
        client: &ClientId,
        status: Finish,
        now: Moment,
    ) -> Result<bool, StoreError>;
}
