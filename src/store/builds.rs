//! Builds: registered, running, ended.

use async_trait::async_trait;

use super::error::StoreError;
use super::names::NameKind;
use super::request_tokens::NewRequestToken;
use super::stored_build::{Finish, StoredBuild};
use crate::base::{BuildId, ClientId, IssuerId, Moment, Sha256};
use crate::claims::{AudiencePattern, Build};
use crate::policy::Client;

/// A build to register, with the tokens that are made in the same transaction.
#[derive(Debug, Clone)]
pub struct NewBuild {
    /// Its id.
    pub id: BuildId,
    /// The CI's own unique id of the build, or the default made from org, repo, number, attempt.
    pub key: String,
    /// Digest of the registration's bytes: a repeat must be equal to be an answer asked for again.
    pub body: Sha256,
    /// What it is.
    pub build: Build,
    /// Audiences that the registration allows; `None` says nothing, an empty list allows none.
    pub audiences: Option<Vec<AudiencePattern>>,
    /// When it was registered.
    pub registered_at: Moment,
    /// When it dies at the latest.
    pub deadline: Moment,
    /// The worker's token and the build-wide request token, where there are such.
    pub tokens: Vec<NewRequestToken>,
}

/// An id that came under a new name, from a client that may act for all its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    /// Organisation or repository.
    pub kind: NameKind,
    /// The id.
    pub id: String,
    /// The name that it had until now.
    pub from: String,
    /// The name that it has now.
    pub to: String,
}

/// What a registration did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// A new build stands.
    New {
        /// Ids that came under a new name.
        renames: Vec<Rename>,
        /// Names first seen without an id that took the one given now: `(kind, name)`.
        ids_taken: Vec<(NameKind, String)>,
    },
    /// The same client, key and body within 60 s while the build runs: its worker token and build-wide request token
    /// were replaced by the new ones, the former two are dead, step tokens stay.
    /// The new ones expire with the deadline of the build that stands, not with that of the repeated registration.
    Repeated(Box<StoredBuild>),
}

/// Why a registration was refused; nothing was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistrationRefusal {
    /// The client has registered this key already.
    BuildExists(BuildId),
    /// The client was disabled meanwhile.
    ClientDisabled,
    /// The id is bound to a name that this client may not act for.
    IdBound {
        /// Organisation or repository.
        kind: NameKind,
    },
    /// The name is bound to another id, or came without the id that it once had.
    NameBound {
        /// Organisation or repository.
        kind: NameKind,
        /// The name that was asked for.
        name: String,
    },
}

/// How long a registration may be repeated to get a lost answer again, in seconds.
pub const REPEAT_WITHIN: crate::base::Seconds = crate::base::Seconds::new(60);

/// The builds of an issuer.
#[async_trait]
pub trait Builds {
    /// Registers a build, binds its names and makes its tokens, all or nothing.
    ///
    /// `client` is what authentication read; its being enabled is judged again inside the transaction.
    ///
    /// # Errors
    /// [`StoreError`]; the inner error when the registration is refused.
    async fn register_build(
        &self,
        issuer: &IssuerId,
        client: &Client,
        new: &NewBuild,
    ) -> Result<Result<Registered, RegistrationRefusal>, StoreError>;

    /// The build of this id.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_build(&self, issuer: &IssuerId, id: BuildId) -> Result<Option<StoredBuild>, StoreError>;

    /// Ends a running build of this client; the first status stays. `false` if the client has no such build.
    /// An expired build stays expired.
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
