//! Clients: who may call the API, and the digests of their secrets.

use async_trait::async_trait;
use serde::Serialize;

use super::error::StoreError;
use crate::base::{ClientId, IssuerId, Moment, Sha256};
use crate::claims::AudiencePattern;
use crate::policy::{Client, ClientIdentity, OrganizationPattern, Scope};

/// The digests that a client's secret may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSecret {
    /// Of the secret in force.
    pub current: Sha256,
    /// Of the secret before it, and until when that one is taken too.
    pub previous: Option<(Sha256, Moment)>,
}

/// A client with the digests of its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredClient {
    /// The client.
    pub client: Client,
    /// Its secrets' digests.
    pub secret: ClientSecret,
}

/// A client of this name, or of this identity, stands already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a client of this name, or of this provider and subject, exists")]
pub struct ClientExists;

/// What disabling a client ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disabled {
    /// Builds that were running.
    pub builds_ended: u64,
}

/// A client as the configuration declares it. Its id is its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredClient {
    /// Its name, and its id.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Organisations that it may act for; none means all.
    pub organizations: Vec<OrganizationPattern>,
    /// Audiences that its builds' tokens may have; none means all.
    pub audiences: Vec<AudiencePattern>,
    /// Name put before the ids that it posts.
    pub ids: Option<String>,
    /// Of its secret, and of the one before it while that is taken too.
    pub secrets: (Sha256, Option<Sha256>),
}

/// What bringing the declared clients in changes in one of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClientChange {
    /// Which client.
    pub name: String,
    /// How.
    pub change: ClientChangeKind,
}

/// How a declared client changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientChangeKind {
    /// It is new.
    Added,
    /// What it may do, or its secret, is another now.
    Changed,
    /// It is declared no longer.
    Disabled,
}

/// A declared name is that of a client that was made by command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a client named {0} was made by command; disable it and declare another name, or don't declare it")]
pub struct NameTaken(pub String);

/// The clients of an issuer.
#[async_trait]
pub trait Clients {
    /// Adds a client with the digest of its secret; of one that has an identity instead, of a secret that nobody has.
    ///
    /// # Errors
    /// [`StoreError`]; the inner error when the name, the id or the identity is taken.
    async fn create_client(
        &self,
        issuer: &IssuerId,
        client: &Client,
        secret: Sha256,
    ) -> Result<Result<(), ClientExists>, StoreError>;

    /// The client of this id, disabled ones too.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_client(&self, issuer: &IssuerId, id: &ClientId) -> Result<Option<StoredClient>, StoreError>;

    /// The client that is known by tokens of this provider with this subject, disabled ones too.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn identify_client(&self, issuer: &IssuerId, identity: &ClientIdentity)
    -> Result<Option<Client>, StoreError>;

    /// All clients, by name.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_clients(&self, issuer: &IssuerId) -> Result<Vec<Client>, StoreError>;

    /// Sets a new secret; the one in force is taken until `previous_until` (not at all if that is not after `now`),
    /// an older one no more. `false` if no enabled client that was made by command, with a secret, has this name.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn rotate_client_secret(
        &self,
        issuer: &IssuerId,
        name: &str,
        secret: Sha256,
        previous_until: Moment,
        now: Moment,
    ) -> Result<bool, StoreError>;

    /// Makes the declared clients of the issuer exactly these, and disables those that are declared no longer; with
    /// `dry_run` it only says what that would change.
    ///
    /// # Errors
    /// [`StoreError`]; the inner error when a name is taken, and then nothing was written.
    async fn apply_clients(
        &self,
        issuer: &IssuerId,
        declared: &[DeclaredClient],
        now: Moment,
        dry_run: bool,
    ) -> Result<Result<Vec<ClientChange>, NameTaken>, StoreError>;

    /// Disables a client and ends its running builds (status `canceled`) in the same transaction.
    /// `None` if no client that was made by command has this name; disabling twice changes nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn disable_client(&self, issuer: &IssuerId, name: &str, now: Moment) -> Result<Option<Disabled>, StoreError>;
}
