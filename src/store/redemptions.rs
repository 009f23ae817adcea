//! Tokens that were traded, and what was given for them. A token is claimed, its credential made and its ID token kept
//! in one transaction, which holds every row that the credential rests on; death is stamped, once.

use async_trait::async_trait;
use strum::{Display, EnumString, IntoStaticStr};

use super::error::StoreError;
use super::events::EventRow;
use super::stored_build::StoredBuild;
use crate::base::{BuildId, ClientId, CredentialId, EntitlementId, IdTokenId, IssuerId, Jti, Moment, Seconds, Sha256};
use crate::claims::BuildStep;
use crate::policy::{Client, Pins};

/// How long after a token's `exp` it is remembered that it was spent. No tolerance is larger.
pub const SPENT_FOR: Seconds = crate::verifier::MAX_TOLERANCE;

/// What a credential is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, IntoStaticStr, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum CredentialKind {
    /// A JWT that we signed (RFC 9068).
    AccessToken,
    /// An opaque key.
    Key,
}

/// One token, whoever signed it and however: its issuer, and the digest of its id, or of header and payload where it
/// has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenKey {
    /// `iss`.
    pub issuer: String,
    /// The digest.
    pub digest: Sha256,
}

/// An ID token of our own issuer, with all that it rests on, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedStanding {
    /// Digest of the token's text.
    pub token_sha256: Sha256,
    /// The key that signed it.
    pub kid: String,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Moment>,
    /// Its build.
    pub build: StoredBuild,
    /// The build's client.
    pub client: Client,
    /// The step whose request token it was fetched with, where there was one.
    pub step: Option<BuildStep>,
}

/// What a redemption of a token of our own rests on beside the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnToken {
    /// The token's `jti`.
    pub jti: Jti,
    /// Its build.
    pub build: BuildId,
    /// The build's client.
    pub client: ClientId,
    /// The key that signed it.
    pub kid: String,
}

/// The ID token that something is given for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewIdToken {
    /// Its id here.
    pub id: IdTokenId,
    /// The name of its key.
    pub kid: String,
    /// The header, as JSON.
    pub header: String,
    /// The claims, as JSON.
    pub claims: String,
    /// `exp`.
    pub expires_at: Moment,
}

/// A credential to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCredential {
    /// Its id; of an access token its `jti`.
    pub id: CredentialId,
    /// What it is.
    pub kind: CredentialKind,
    /// Digest of its text.
    pub digest: Sha256,
    /// Stable name of the exchange's flow that issued it.
    pub flow: String,
    /// What people call it.
    pub name: String,
    /// Whom it stands for.
    pub subject: String,
    /// Whose it is: a user of ours, or a name of the downstream's.
    pub owner: Option<String>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Globs of the packages that it is for.
    pub packages: Vec<String>,
    /// Where it is taken.
    pub audience: String,
    /// Does it live on after its build?
    pub outlives_build: bool,
    /// The key of ours that signed it.
    pub signed_by: Option<String>,
    /// When it dies at the latest.
    pub expires_at: Moment,
}

/// A redemption: all that it rests on, and what comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redemption {
    /// When.
    pub now: Moment,
    /// The token.
    pub token: TokenKey,
    /// Is it spent by this?
    pub single_use: bool,
    /// Of a token of our own, what it rests on.
    pub own: Option<OwnToken>,
    /// The user, who must not be disabled.
    pub user: Option<String>,
    /// The provider.
    pub provider: String,
    /// The revision of its row that was judged by; our own issuer has none.
    pub provider_revision: Option<u64>,
    /// The entitlement and the revision of its row that was judged by.
    pub entitlement: Option<(EntitlementId, u64)>,
    /// Other entitlements that it rests on, with the revisions that were judged by.
    pub also: Vec<(EntitlementId, u64)>,
    /// Ids that the entitlement learns by this.
    pub pins: Option<Pins>,
    /// The ID token.
    pub id_token: NewIdToken,
    /// The credential.
    pub credential: NewCredential,
    /// What operators read of it.
    pub event: EventRow,
}

impl Redemption {
    /// Until when it is remembered that the token was traded.
    #[must_use]
    pub fn kept_until(&self) -> Moment {
        self.id_token.expires_at + SPENT_FOR
    }
}

/// Why a redemption did not happen; nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedemptionRefusal {
    /// The token's build has ended.
    BuildOver,
    /// The client of the token's build is disabled.
    ClientDisabled,
    /// The key that signed the token is revoked.
    KeyRevoked,
    /// What was judged by is not what stands: judge anew.
    RulesChanged,
    /// The key that signed what would be given is revoked.
    SignerRevoked,
    /// The token was revoked.
    TokenRevoked,
    /// The token was traded before.
    Spent,
    /// The user is disabled.
    UserDisabled,
}

/// A credential as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCredential {
    /// Its id; of an access token its `jti`.
    pub id: CredentialId,
    /// What it is.
    pub kind: CredentialKind,
    /// Stable name of the exchange's flow that issued it.
    pub flow: String,
    /// What people call it.
    pub name: String,
    /// Whom it stands for.
    pub subject: String,
    /// Whose it is.
    pub owner: Option<String>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Globs of the packages that it is for.
    pub packages: Vec<String>,
    /// Where it is taken.
    pub audience: String,
    /// By which entitlement.
    pub entitlement: Option<EntitlementId>,
    /// For a token of which provider.
    pub provider: String,
    /// Of which user.
    pub user: Option<String>,
    /// For a token of which build.
    pub build: Option<BuildId>,
    /// For which ID token.
    pub id_token: IdTokenId,
    /// When it was made.
    pub created_at: Moment,
    /// When it dies at the latest.
    pub expires_at: Moment,
    /// When and why it died before that, if it did.
    pub revoked: Option<(Moment, String)>,
}

impl StoredCredential {
    /// Does it open anything?
    #[must_use]
    pub fn is_alive(&self, now: Moment) -> bool {
        self.revoked.is_none() && self.expires_at > now
    }
}

/// An ID token as it was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredIdToken {
    /// Its id here.
    pub id: IdTokenId,
    /// Of which provider.
    pub provider: String,
    /// By which entitlement something was given for it.
    pub entitlement: Option<EntitlementId>,
    /// For which user.
    pub user: Option<String>,
    /// The header, as JSON.
    pub header: String,
    /// The claims, as JSON.
    pub claims: String,
    /// When it was traded.
    pub received_at: Moment,
}

/// Which credentials to list. Every condition that is given must hold.
#[derive(Debug, Clone, Default)]
pub struct CredentialFilter {
    /// Of this user.
    pub user: Option<String>,
    /// Those that open something at this moment alone.
    pub alive_at: Option<Moment>,
    /// Those that were made after this one.
    pub after: Option<CredentialId>,
    /// At most so many.
    pub limit: Option<u32>,
}

/// Redemptions of an issuer, and what came of them.
#[async_trait]
pub trait Redemptions {
    /// Claims the token and makes the credential, all or nothing.
    ///
    /// # Errors
    /// [`StoreError`]; the inner error when something that the redemption rests on does not hold.
    async fn redeem(
        &self,
        issuer: &IssuerId,
        redemption: &Redemption,
    ) -> Result<Result<(), RedemptionRefusal>, StoreError>;

    /// The ID token of our own of this id, with all that it rests on; `None` for one that we never recorded.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_issued(&self, issuer: &IssuerId, jti: Jti) -> Result<Option<IssuedStanding>, StoreError>;

    /// Was the token spent?
    ///
    /// # Errors
    /// [`StoreError`].
    async fn is_spent(&self, issuer: &IssuerId, token: &TokenKey) -> Result<bool, StoreError>;

    /// The credential whose text has this digest, dead ones too.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_credential(&self, issuer: &IssuerId, digest: Sha256) -> Result<Option<StoredCredential>, StoreError>;

    /// The credential of this id, dead ones too.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn show_credential(
        &self,
        issuer: &IssuerId,
        id: CredentialId,
    ) -> Result<Option<StoredCredential>, StoreError>;

    /// The credentials that `filter` lets through, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_credentials(
        &self,
        issuer: &IssuerId,
        filter: &CredentialFilter,
    ) -> Result<Vec<StoredCredential>, StoreError>;

    /// Stamps a credential dead. `false` if there is none; a dead one stays as it died.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn revoke_credential(
        &self,
        issuer: &IssuerId,
        id: CredentialId,
        event: &EventRow,
        now: Moment,
    ) -> Result<bool, StoreError>;

    /// Makes an ID token worthless here: it counts as spent, one of our own as revoked, and what was given for it dies.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn revoke_id_token(
        &self,
        issuer: &IssuerId,
        token: &TokenKey,
        own: Option<Jti>,
        kept_until: Moment,
        event: &EventRow,
        now: Moment,
    ) -> Result<(), StoreError>;

    /// The ID token of this id.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_id_token(&self, issuer: &IssuerId, id: IdTokenId) -> Result<Option<StoredIdToken>, StoreError>;

    /// The ID tokens that something was given for to a user, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_id_tokens(&self, issuer: &IssuerId, user: &str) -> Result<Vec<StoredIdToken>, StoreError>;

    /// Forgets spent tokens that nobody would take any more. How many.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn forget_spent(&self, issuer: &IssuerId, before: Moment) -> Result<u64, StoreError>;
}
