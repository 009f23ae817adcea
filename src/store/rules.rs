//! What tokens may be traded for, as operators wrote it: users, providers, entitlements. Rows are read by what changed,
//! and changed as one; what such a change ends is stamped dead in the same transaction.

use async_trait::async_trait;
use strum::{Display, EnumString, IntoStaticStr};

use super::error::StoreError;
use super::events::EventRow;
use crate::base::{EntitlementId, IssuerId, Moment};
use crate::policy::Pins;

/// What an entitlement is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, EnumString, IntoStaticStr, serde::Serialize,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum EntitlementKind {
    /// For RFC 8693 and forward authentication.
    Grant,
    /// A trusted publisher of RubyGems.
    Publisher,
    /// A role of RubyGems.
    Role,
    /// A trust policy of NuGet.
    TrustPolicy,
}

/// A user: whose keys a role or a trust policy makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRow {
    /// The name.
    pub name: String,
    /// The change that made it what it is.
    pub revision: u64,
    /// When it was made.
    pub created_at: Moment,
    /// When it was disabled, if it is.
    pub disabled_at: Option<Moment>,
    /// When it was removed, if it was.
    pub removed_at: Option<Moment>,
}

impl UserRow {
    /// May anything be made for it?
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        self.disabled_at.is_none() && self.removed_at.is_none()
    }
}

/// A provider as it was written, as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderRow {
    /// The name.
    pub name: String,
    /// What was written.
    pub spec: String,
    /// The configuration's: no command changes it.
    pub declared: bool,
    /// The change that made it what it is.
    pub revision: u64,
    /// When it was made.
    pub created_at: Moment,
    /// When it was removed, if it was.
    pub removed_at: Option<Moment>,
    /// What was fetched of it last.
    pub fetched: Option<FetchedDocuments>,
}

/// A provider's documents as they were fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedDocuments {
    /// The discovery document, where there is one.
    pub configuration: Option<String>,
    /// The key set.
    pub jwks: String,
    /// When it was fetched.
    pub refreshed_at: Moment,
}

/// An entitlement as it was written, as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntitlementRow {
    /// Its id.
    pub id: EntitlementId,
    /// What it is.
    pub kind: EntitlementKind,
    /// Its name, unique among those of its kind and user.
    pub name: String,
    /// The user whose it is; a grant is nobody's.
    pub user: Option<String>,
    /// The provider whose tokens it takes.
    pub provider: String,
    /// What was written.
    pub spec: String,
    /// Its place among all.
    pub place: u64,
    /// A role's token.
    pub token: Option<String>,
    /// Ids that its names were learned to have.
    pub pins: Pins,
    /// Until when they may be learned.
    pub pin_until: Option<Moment>,
    /// The change that made it what it is.
    pub revision: u64,
    /// When it was made.
    pub created_at: Moment,
    /// When it was changed last.
    pub updated_at: Moment,
    /// When it was removed, if it was.
    pub removed_at: Option<Moment>,
}

/// What changed after some revision, removed rows among it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleRows {
    /// The last change.
    pub revision: u64,
    /// Users.
    pub users: Vec<UserRow>,
    /// Providers.
    pub providers: Vec<ProviderRow>,
    /// Entitlements.
    pub entitlements: Vec<EntitlementRow>,
}

/// A row to write, and whether that ends what rests on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write<T> {
    /// The row; its revision is set by the store.
    pub row: T,
    /// Why credentials that rest on it die, if they do.
    pub kills: Option<&'static str>,
}

/// A change of what tokens may be traded for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleChange {
    /// Users.
    pub users: Vec<Write<UserRow>>,
    /// Providers.
    pub providers: Vec<Write<ProviderRow>>,
    /// Entitlements.
    pub entitlements: Vec<Write<EntitlementRow>>,
    /// What operators read of it.
    pub events: Vec<EventRow>,
}

impl RuleChange {
    /// Does it change nothing?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.providers.is_empty() && self.entitlements.is_empty()
    }
}

/// What tokens of an issuer and of others may be traded for.
#[async_trait]
pub trait Rules {
    /// The number of the last change; 0 before the first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn rules_revision(&self, issuer: &IssuerId) -> Result<u64, StoreError>;

    /// All rows that changed after the revision `after`; with 0 all there are.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn read_rules(&self, issuer: &IssuerId, after: u64) -> Result<RuleRows, StoreError>;

    /// Writes a change that was decided at the revision `expected`, and stamps what it ends. `false` if another change
    /// came before it; then nothing was written.
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

    /// Keeps what was fetched of a provider as it stood at this revision; of one that was changed meanwhile it is
    /// another's. No change of rules: it only is there at the next start.
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
