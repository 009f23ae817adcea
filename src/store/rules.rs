//! Users, providers and entitlements of the exchange, as operators wrote them. A server reads only the rows that
//! changed since its last read. One transaction writes a change and revokes the credentials that depend on it.

use async_trait::async_trait;
use strum::{Display, EnumString, IntoStaticStr};

use super::error::StoreError;
use super::events::EventRow;
use super::revocation_reason::RevocationReason;
use crate::base::{EntitlementId, IssuerId, Moment};
use crate::policy::Pins;

/// Kind of an entitlement, that is of an object that says which tokens get which credential.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, EnumString, IntoStaticStr, serde::Serialize,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum EntitlementKind {
    /// Grant, which token exchange (RFC 8693) and forward authentication use.
    Grant,
    /// Trusted publisher of RubyGems.
    Publisher,
    /// API key role of RubyGems.
    Role,
    /// Trust policy of NuGet.
    TrustPolicy,
}

/// User who owns the API keys that a role or a trust policy issues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRow {
    /// Name of the user.
    pub name: String,
    /// Revision of the rules at the last change of the row. Each change of any rule increases the revision by 1.
    pub revision: u64,
    /// Time at which the object was created; a later change keeps this time.
    pub created_at: Moment,
    /// Time at which the user was disabled; `None` if the user is enabled.
    pub disabled_at: Option<Moment>,
    /// Time of deletion, if the user was deleted.
    pub removed_at: Option<Moment>,
}

impl UserRow {
    /// Returns whether credentials may be issued for the user.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        self.disabled_at.is_none() && self.removed_at.is_none()
    }
}

/// A provider, that is an issuer whose tokens are verified, with its specification as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderRow {
    /// Name of the provider.
    pub name: String,
    /// Specification that an operator wrote, as JSON.
    pub spec: String,
    /// Whether the configuration declares the provider, so that no command may change it.
    pub declared: bool,
    /// Revision of the rules at the last change of the row. Each change of any rule increases the revision by 1.
    pub revision: u64,
    /// Time at which the object was created; a later change keeps this time.
    pub created_at: Moment,
    /// Time of deletion, if the provider was deleted.
    pub removed_at: Option<Moment>,
    /// Documents that were last fetched from the provider.
    pub fetched: Option<FetchedDocuments>,
}

/// Documents fetched from a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedDocuments {
    /// Discovery document, if the provider has one.
    pub configuration: Option<String>,
    /// Key set, as JSON.
    pub jwks: String,
    /// Time of the fetch.
    pub refreshed_at: Moment,
}

/// An entitlement (role, trusted publisher, trust policy or grant), with its specification as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntitlementRow {
    /// Id of the entitlement.
    pub id: EntitlementId,
    /// Kind of the entitlement.
    pub kind: EntitlementKind,
    /// Name of the entitlement, unique for its kind and user.
    pub name: String,
    /// User that the entitlement belongs to; `None` for a grant.
    pub user: Option<String>,
    /// Name of the provider that must have issued the token.
    pub provider: String,
    /// Specification that an operator wrote, as JSON.
    pub spec: String,
    /// Position of the entitlement among all entitlements; lists of entitlements are sorted by the position.
    pub place: u64,
    /// Public token of a role, by which clients name it.
    pub token: Option<String>,
    /// Repository and owner ids that were taken from the first accepted token, and are required from then on.
    pub pins: Pins,
    /// Time until which an accepted token may set the ids that the entitlement requires.
    pub pin_until: Option<Moment>,
    /// Revision of the rules at the last change of the row. Each change of any rule increases the revision by 1.
    pub revision: u64,
    /// Time at which the object was created; a later change keeps this time.
    pub created_at: Moment,
    /// Time of the last change.
    pub updated_at: Moment,
    /// Time of deletion, if the entitlement was deleted.
    pub removed_at: Option<Moment>,
}

/// Users, providers and entitlements that changed after a revision, including deleted ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleRows {
    /// Current revision of the rules.
    pub revision: u64,
    /// Users that changed.
    pub users: Vec<UserRow>,
    /// Providers that changed.
    pub providers: Vec<ProviderRow>,
    /// Entitlements that changed.
    pub entitlements: Vec<EntitlementRow>,
}

/// Filter for listing entitlements that are not deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntitlementFilter<'a> {
    /// Kind of the entitlements.
    pub kind: EntitlementKind,
    /// Id of the entitlement; `None` for any.
    pub id: Option<EntitlementId>,
    /// Name of the entitlements; `None` for any.
    pub name: Option<&'a str>,
    /// User that the entitlements belong to; `None` for any.
    pub user: Option<&'a str>,
}

impl EntitlementFilter<'_> {
    /// Selects all entitlements of a kind.
    #[must_use]
    pub const fn all(kind: EntitlementKind) -> Self {
        Self { kind, id: None, name: None, user: None }
    }
}

/// Row to write, with the reason to revoke the credentials that depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write<T> {
    /// Row to write; the store sets its revision.
    pub row: T,
    /// Reason to revoke the credentials that depend on the row; `None` to keep them.
    pub revokes: Option<RevocationReason>,
}

/// Change of users, providers and entitlements, written in one transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleChange {
    /// Users to write.
    pub users: Vec<Write<UserRow>>,
    /// Providers to write.
    pub providers: Vec<Write<ProviderRow>>,
    /// Entitlements to write.
    pub entitlements: Vec<Write<EntitlementRow>>,
    /// Events to record for operators.
    pub events: Vec<EventRow>,
}

impl RuleChange {
    /// Returns whether the change writes no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.providers.is_empty() && self.entitlements.is_empty()
    }
}

/// Users, providers and entitlements of an issuer's exchange.
#[async_trait]
pub trait Rules {
    /// Returns the current revision of the rules; 0 before the first change.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn rules_revision(&self, issuer: &IssuerId) -> Result<u64, StoreError>;

    /// Reads the rows that changed after the revision `after`; all rows if `after` is 0.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn read_rules(&self, issuer: &IssuerId, after: u64) -> Result<RuleRows, StoreError>;

    /// Lists the current users by name, or only the user `name`.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_users(&self, issuer: &IssuerId, name: Option<&str>) -> Result<Vec<UserRow>, StoreError>;

    /// Lists the current providers by name, or only the provider `name`.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_providers(&self, issuer: &IssuerId, name: Option<&str>) -> Result<Vec<ProviderRow>, StoreError>;

    /// Lists the current entitlements that the filter selects, sorted by [`EntitlementRow::place`].
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_entitlements(
        &self,
        issuer: &IssuerId,
        filter: &EntitlementFilter<'_>,
    ) -> Result<Vec<EntitlementRow>, StoreError>;

    /// Writes a change that was planned at the revision `expected`. Revokes the credentials that depend on a row if
    /// [`Write::revokes`] of the row says so. Returns `false`, and writes nothing, if another change was written first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn change_rules(
        &self,
        issuer: &IssuerId,
        expected: u64,
        change: &RuleChange,
        now: Moment,
    ) -> Result<bool, StoreError>;

    /// Stores documents fetched from a provider, so that a server has them when it starts again. Does nothing if the
    /// provider has changed since `revision`, because the documents may belong to its former URL.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn keep_documents(
        &self,
        issuer: &IssuerId,
        (provider, revision): (&str, u64),
        documents: &FetchedDocuments,
    ) -> Result<(), StoreError>;
}
