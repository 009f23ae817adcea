//! Clients: who may call the API, and the digests of their secrets.

use async_trait::async_trait;

use super::StoreError;
use crate::base::{ClientId, IssuerId, Moment, Sha256};
use crate::policy::Client;

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

/// A client of this name stands already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a client of this name exists")]
pub struct ClientExists;

/// What disabling a client ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disabled {
    /// Builds that were running.
    pub builds_ended: u64,
}

/// The clients of an issuer.
#[async_trait]
pub trait Clients {
    /// Adds a client with the digest of its secret.
    ///
    /// # Errors
    /// [`StoreError`]; the inner error when the name or the id is taken.
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

    /// All clients, by name.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_clients(&self, issuer: &IssuerId) -> Result<Vec<Client>, StoreError>;

    /// Sets a new secret; the one in force is taken until `previous_until` (not at all if that is not after `now`),
    /// an older one no more. `false` if no enabled client has this name.
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

    /// Disables a client and ends its running builds (status `canceled`) in the same transaction.
    /// `None` if no client has this name; disabling twice changes nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn disable_client(&self, issuer: &IssuerId, name: &str, now: Moment) -> Result<Option<Disabled>, StoreError>;
}
