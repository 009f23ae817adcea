//! Clients: callers of the API, and the digests of their secrets.

use async_trait::async_trait;
use serde::Serialize;

use super::error::{Outcome, StoreError};
use crate::base::{ClientId, IssuerId, Moment, Sha256};
use crate::claims::AudiencePattern;
use crate::policy::{Client, ClientIdentity, OrganizationPattern, Scope};

/// Digests of the secrets that a client may present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSecret {
    /// Digest of the current secret.
    pub current: Sha256,
    /// Digest of the previous secret, and the time until which it is accepted too.
    pub previous: Option<(Sha256, Moment)>,
}

/// A client with the digests of its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredClient {
    /// Client without its secrets.
    pub client: Client,
    /// Digests of the client's secrets.
    pub secret: ClientSecret,
}

/// Error returned when the name, the id or the identity of a client is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a client of this name, or of this provider and subject, exists")]
pub struct ClientExists;

/// Outcome of disabling a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disabled {
    /// Number of running builds that were canceled.
    pub builds_ended: u64,
}

/// A client declared in the configuration. Its id is its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredClient {
    /// Name and id of the client.
    pub name: String,
    /// Scopes that the client has.
    pub scopes: Vec<Scope>,
    /// Organisations that the client may act for; an empty list allows all.
    pub organizations: Vec<OrganizationPattern>,
    /// Audiences that tokens of its builds may have; an empty list allows all.
    pub audiences: Vec<AudiencePattern>,
    /// Prefix of the organisation and repository ids that the client registers.
    pub ids: Option<String>,
    /// Digest of the current secret, and of the previous one while it is declared too.
    pub secrets: (Sha256, Option<Sha256>),
}

/// Change of one declared client when the configuration is applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClientChange {
    /// Name of the client.
    pub name: String,
    /// Kind of the change.
    pub change: ClientChangeKind,
}

/// Kind of change of a declared client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientChangeKind {
    /// The client is created.
    Added,
    /// Scopes, limits or secrets of the client change.
    Changed,
    /// The client is no longer declared, and is disabled.
    Disabled,
}

/// Error returned when a client created by command has the name of a declared one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("client {0} was created by command: declare another name, or remove the declaration")]
pub struct NameTaken(pub String);

/// Clients of an issuer.
#[async_trait]
pub trait Clients {
    /// Creates a client with the digest of its secret; for a client with an identity, of a secret that is never shown.
    ///
    /// # Errors
    /// [`StoreError`]; the inner error if the name, the id or the identity is taken.
    async fn create_client(&self, issuer: &IssuerId, client: &Client, secret: Sha256) -> Outcome<(), ClientExists>;

    /// Finds a client by its id, disabled clients included.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_client(&self, issuer: &IssuerId, id: &ClientId) -> Result<Option<StoredClient>, StoreError>;

    /// Finds the client that a provider's tokens with this subject identify, disabled clients included.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn identify_client(&self, issuer: &IssuerId, identity: &ClientIdentity)
    -> Result<Option<Client>, StoreError>;

    /// Lists all clients by name.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_clients(&self, issuer: &IssuerId) -> Result<Vec<Client>, StoreError>;

    /// Replaces the secret of a client. The current secret is accepted until `previous_until`, or no longer if that is not
    /// after `now`; an older one is not accepted any more. Returns `false` if no enabled client that was created by command
    /// with a secret has this name.
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

    /// Creates and updates the declared clients, and disables clients that are no longer declared. With `dry_run` nothing
    /// is written. Returns the changes.
    ///
    /// # Errors
    /// [`StoreError`]; the inner error if a name is taken: nothing was written.
    async fn apply_clients(
        &self,
        issuer: &IssuerId,
        declared: &[DeclaredClient],
        now: Moment,
        dry_run: bool,
    ) -> Outcome<Vec<ClientChange>, NameTaken>;

    /// Disables a client and cancels its running builds in the same transaction. Returns `None` if no client that was
    /// created by command has this name; disabling twice changes nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn disable_client(&self, issuer: &IssuerId, name: &str, now: Moment) -> Result<Option<Disabled>, StoreError>;
}
