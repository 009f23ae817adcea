//! Builds: registered, found, finished.

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
    /// Unique id that the CI server gave the build, or a default derived from org, repo, number and attempt.
    pub key: String,
    /// SHA-256 digest of the request's bytes: only an equal request counts as a repeat whose answer was lost.
    pub body: Sha256,
    /// Claims of the build, as registered.
    pub build: Build,
    /// Audiences that the registration allows: `None` leaves them to the client, an empty list allows none.
    pub audiences: Option<Vec<AudiencePattern>>,
    /// Time of registration.
    pub registered_at: Moment,
    /// Time at which the build expires unless it was finished before.
    pub deadline: Moment,
    /// Worker token and build-wide request token, if the registration asks for them.
    pub tokens: Vec<NewRequestToken>,
}

/// An id that was registered under a new name by a client that may act for all its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    /// Whether an organisation or a repository was renamed.
    pub kind: NameKind,
    /// Immutable id of the organisation or repository.
    pub id: String,
    /// Name before the rename.
    pub from: String,
    /// Name after the rename.
    pub to: String,
}

/// Outcome of a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// A new build was created.
    New {
        /// Ids that were registered under a new name.
        renames: Vec<Rename>,
        /// Names first seen without an id that are now bound to one: `(kind, name)`.
        ids_taken: Vec<(NameKind, String)>,
    },
    /// The same client sent the same key and body within 60 s while the build runs: new tokens replaced its worker token
    /// and build-wide request token, which are revoked; step tokens stay. The new tokens expire with the deadline of the
    /// first registration, not with that of the repeated one.
    Repeated(Box<StoredBuild>),
}

/// Refusal of a registration; nothing was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistrationRefusal {
    /// The client registered this key before.
    BuildExists(BuildId),
    /// The client was disabled after it was authenticated.
    ClientDisabled,
    /// The id is bound to a name that this client may not act for.
    IdBound {
        /// Whether an organisation or a repository was renamed.
        kind: NameKind,
    },
    /// The name is bound to another id, or came without the id that it once had.
    NameBound {
        /// Whether an organisation or a repository was renamed.
        kind: NameKind,
        /// Name as the registration has it.
        name: String,
    },
}

/// Time within which a registration may be repeated to receive a lost answer again.
pub const REPEAT_WITHIN: crate::base::Seconds = crate::base::Seconds::new(60);

/// Builds of an issuer.
#[async_trait]
pub trait Builds {
    /// Registers a build, binds its names and creates its tokens in one transaction.
    ///
    /// `client` is the row that authentication read; the transaction checks again that it is enabled.
    ///
    /// # Errors
    /// [`StoreError`]; the inner error if the registration is refused.
    async fn register_build(
        &self,
        issuer: &IssuerId,
        client: &Client,
        new: &NewBuild,
    ) -> Outcome<Registered, RegistrationRefusal>;

    /// Finds a build by its id.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_build(&self, issuer: &IssuerId, id: BuildId) -> Result<Option<StoredBuild>, StoreError>;

    /// Finishes a running build of this client; a later status does not replace the first. Returns `false` if the client
    /// has no such build. An expired build stays expired.
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
