//! Storage of the clients that may call the API. The store holds digests of the clients' secrets, never a secret
//! itself.

use async_trait::async_trait;
use serde::Serialize;

use super::error::{Outcome, StoreError};
use crate::base::{ClientId, IssuerId, Moment, Sha256};
use crate::claims::AudiencePattern;
use crate::policy::{Client, ClientIdentity, OrganizationPattern, Scope};

/// Digests of the secrets that a client may present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSecret {
    /// SHA-256 digest of the client's current secret.
    pub current: Sha256,
    /// SHA-256 digest of the client's previous secret, and the time until which the previous secret is accepted too.
    pub previous: Option<(Sha256, Moment)>,
}

/// A stored client: what the client may do, and the digests of the client's secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredClient {
    /// What is stored about the client, except the digests of its secrets.
    pub client: Client,
    /// Digests of the client's secrets.
    pub secret: ClientSecret,
}

/// Error returned when another client already has the name, the id or the identity of the client to create.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a client with this name, or with this provider and subject, already exists")]
pub struct ClientExists;

/// Result of disabling a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disabled {
    /// Number of the client's running builds that were canceled.
    pub builds_ended: u64,
}

/// A client that the configuration declares. The id of a declared client is its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredClient {
    /// Name of the client, which is also the client's id.
    pub name: String,
    /// Scopes that the client has.
    pub scopes: Vec<Scope>,
    /// Organisations that the client may act for; an empty list allows all.
    pub organizations: Vec<OrganizationPattern>,
    /// Audiences that tokens of the client's builds may have; an empty list allows all.
    pub audiences: Vec<AudiencePattern>,
    /// Prefix that is put before the organisation and repository ids that the client registers, so that equal ids of
    /// two forges differ; `None` for no prefix.
    pub ids: Option<String>,
    /// SHA-256 digests of the client's current secret, and of the previous secret if the configuration declares both.
    pub secrets: (Sha256, Option<Sha256>),
}

/// Change that applying the configuration makes to one declared client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClientChange {
    /// Name of the client.
    pub name: String,
    /// Whether the client is added, changed or disabled.
    pub change: ClientChangeKind,
}

/// What applying the configuration does with a declared client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientChangeKind {
    /// The client is created.
    Added,
    /// Scopes, limits or secrets of the client change.
    Changed,
    /// The client is disabled because the configuration no longer declares the client.
    Disabled,
}

/// Error returned when the configuration declares a client, but a client of the same name was created by command. Holds
/// the name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("client {0} was created by command: declare another name, or remove the declaration")]
pub struct NameTaken(pub String);

/// Storage of an issuer's clients.
#[async_trait]
pub trait Clients {
    /// Creates a client. `secret` is the digest of the client's secret. A client that authenticates with a provider's
    /// tokens instead gets a random secret that nobody is told.
    ///
    /// # Errors
    /// [`StoreError`]; the inner error if another client has the name, the id or the identity.
    async fn create_client(&self, issuer: &IssuerId, client: &Client, secret: Sha256) -> Outcome<(), ClientExists>;

    /// Finds a client by id, even if the client is disabled.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_client(&self, issuer: &IssuerId, id: &ClientId) -> Result<Option<StoredClient>, StoreError>;

    /// Finds the client that authenticates with a provider's tokens, by the provider and the tokens' subject, even if
    /// the client is disabled.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn identify_client(&self, issuer: &IssuerId, identity: &ClientIdentity)
    -> Result<Option<Client>, StoreError>;

    /// Lists all clients, sorted by name.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_clients(&self, issuer: &IssuerId) -> Result<Vec<Client>, StoreError>;

    /// Returns whether an enabled client has the scope.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn any_client_has(&self, issuer: &IssuerId, scope: Scope) -> Result<bool, StoreError>;

    /// Replaces the secret of a client. The replaced secret is accepted until `previous_until`; older secrets are
    /// rejected at once. Returns `false` if no secret can be replaced: no enabled client has the name, the
    /// configuration declares the client, or the client authenticates with a provider's tokens.
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

    /// Creates and updates the declared clients, and disables clients that are no longer declared. Returns the changes;
    /// with `dry_run` nothing is written.
    ///
    /// # Errors
    /// [`StoreError`]; the inner error if a declared name belongs to a client that was created by command; nothing was
    /// written then.
    async fn apply_clients(
        &self,
        issuer: &IssuerId,
        declared: &[DeclaredClient],
        now: Moment,
        dry_run: bool,
    ) -> Outcome<Vec<ClientChange>, NameTaken>;

    /// Disables a client and cancels the client's running builds, in one transaction. Returns `None` if no client that
    /// was created by command has this name. Disabling a disabled client changes nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn disable_client(&self, issuer: &IssuerId, name: &str, now: Moment) -> Result<Option<Disabled>, StoreError>;
}
