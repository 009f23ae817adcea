//! Redemptions of subject tokens, and the credentials that they issue. One transaction marks the token as used, stores the
//! credential and the ID token, and locks every row that the credential depends on. Revocation is final.

use async_trait::async_trait;
use strum::{Display, EnumString, IntoStaticStr};

use super::error::{Outcome, StoreError};
use super::events::EventRow;
use super::stored_build::StoredBuild;
use crate::base::{BuildId, ClientId, CredentialId, EntitlementId, IdTokenId, IssuerId, Jti, Moment, Seconds, Sha256};
use crate::claims::BuildStep;
use crate::policy::{Client, Pins};

/// Time after a token's `exp` for which a used token is kept. No clock tolerance is larger.
pub const USED_TOKEN_KEPT_FOR: Seconds = crate::verifier::MAX_TOLERANCE;

/// Kind of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, IntoStaticStr, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum CredentialKind {
    /// JWT access token (RFC 9068) that our issuer signed.
    AccessToken,
    /// Opaque API key.
    Key,
}

/// Identifies one token, however it was signed: by its issuer and the digest of its `jti`, or of header and payload if it
/// has no `jti`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenKey {
    /// The token's `iss`.
    pub issuer: String,
    /// Digest of the `jti`, or of header and payload.
    pub digest: Sha256,
}

/// An ID token of our own issuer, with the current state of everything that it depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedToken {
    /// SHA-256 digest of the token's text.
    pub token_sha256: Sha256,
    /// `kid` of the signing key.
    pub kid: String,
    /// Time of revocation, if the token was revoked.
    pub revoked_at: Option<Moment>,
    /// Build that the token describes.
    pub build: StoredBuild,
    /// Client that registered the build.
    pub client: Client,
    /// Step whose request token fetched the ID token, if a step's did.
    pub step: Option<BuildStep>,
}

/// What the redemption of an ID token of our own issuer depends on in addition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnToken {
    /// The token's `jti`.
    pub jti: Jti,
    /// Id of the token's build.
    pub build: BuildId,
    /// Id of the client that registered the build.
    pub client: ClientId,
    /// `kid` of the signing key.
    pub kid: String,
}

/// ID token to store with the credential that it was redeemed for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewIdToken {
    /// Id of the stored ID token.
    pub id: IdTokenId,
    /// `kid` of the key that signed the token.
    pub kid: String,
    /// JOSE header, as JSON.
    pub header: String,
    /// Claims of the token, as JSON.
    pub claims: String,
    /// The token's `exp`.
    pub expires_at: Moment,
}

/// A credential to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCredential {
    /// Id of the credential; of an access token its `jti`.
    pub id: CredentialId,
    /// Kind of the credential.
    pub kind: CredentialKind,
    /// SHA-256 digest of the credential's text.
    pub digest: Sha256,
    /// Stable name of the exchange's flow that issued it.
    pub flow: String,
    /// Display name of the credential.
    pub name: String,
    /// Subject that the credential stands for.
    pub subject: String,
    /// Owner of the credential: a user of ours, or a name that the downstream registry knows.
    pub owner: Option<String>,
    /// Scopes of the credential.
    pub scopes: Vec<String>,
    /// Globs of the packages that the credential is limited to.
    pub packages: Vec<String>,
    /// Audience that accepts the credential.
    pub audience: String,
    /// Whether the credential stays valid after its build has finished.
    pub outlives_build: bool,
    /// `kid` of our key that signed the credential, for an access token.
    pub signed_by: Option<String>,
    /// Time at which the credential expires.
    pub expires_at: Moment,
}

/// A redemption: everything that it depends on, and everything that it stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redemption {
    /// Time of the redemption.
    pub now: Moment,
    /// Key by which the subject token is recorded as used.
    pub token: TokenKey,
    /// Whether the redemption uses the token up.
    pub single_use: bool,
    /// What a token of our own issuer depends on.
    pub own: Option<OwnToken>,
    /// Name of the user, who must be enabled.
    pub user: Option<String>,
    /// Name of the token's provider.
    pub provider: String,
    /// Revision of the provider that was evaluated; `None` for our own issuer.
    pub provider_revision: Option<u64>,
    /// Entitlement, with its revision that was evaluated.
    pub entitlement: Option<(EntitlementId, u64)>,
    /// Further entitlements that the credential depends on, with their revisions that were evaluated.
    pub also: Vec<(EntitlementId, u64)>,
    /// Ids that this redemption pins on the entitlement.
    pub pins: Option<Pins>,
    /// ID token to store.
    pub id_token: NewIdToken,
    /// Credential to store.
    pub credential: NewCredential,
    /// Event to record for operators.
    pub event: EventRow,
}

impl Redemption {
    /// Returns the time until which the used token is kept.
    #[must_use]
    pub fn kept_until(&self) -> Moment {
        self.id_token.expires_at + USED_TOKEN_KEPT_FOR
    }
}

/// Refusal of a redemption; nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedemptionRefusal {
    /// The token's build has finished or expired.
    BuildFinished,
    /// The client of the token's build is disabled.
    ClientDisabled,
    /// The key that signed the token is revoked.
    KeyRevoked,
    /// Entitlement or provider changed since they were evaluated: evaluate again.
    RulesChanged,
    /// The key that signed the access token to issue is revoked.
    SignerRevoked,
    /// The token was revoked.
    TokenRevoked,
    /// The token was used before.
    Used,
    /// The user is disabled.
    UserDisabled,
}

/// A credential as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCredential {
    /// Id of the credential; of an access token its `jti`.
    pub id: CredentialId,
    /// Kind of the credential.
    pub kind: CredentialKind,
    /// Stable name of the exchange's flow that issued it.
    pub flow: String,
    /// Display name of the credential.
    pub name: String,
    /// Subject that the credential stands for.
    pub subject: String,
    /// Owner of the credential: a user of ours, or a name that the downstream registry knows.
    pub owner: Option<String>,
    /// Scopes of the credential.
    pub scopes: Vec<String>,
    /// Globs of the packages that the credential is limited to.
    pub packages: Vec<String>,
    /// Audience that accepts the credential.
    pub audience: String,
    /// Id of the entitlement that issued the credential.
    pub entitlement: Option<EntitlementId>,
    /// Name of the provider of the redeemed token.
    pub provider: String,
    /// Name of the user that the credential belongs to.
    pub user: Option<String>,
    /// Id of the build of the redeemed token.
    pub build: Option<BuildId>,
    /// Id of the stored ID token that was redeemed.
    pub id_token: IdTokenId,
    /// Time of issue.
    pub created_at: Moment,
    /// Time at which the credential expires.
    pub expires_at: Moment,
    /// Time and reason of revocation, if the credential was revoked.
    pub revoked: Option<(Moment, String)>,
}

impl StoredCredential {
    /// Returns whether the credential is neither revoked nor expired at `now`.
    #[must_use]
    pub fn is_active(&self, now: Moment) -> bool {
        self.revoked.is_none() && self.expires_at > now
    }
}

/// A redeemed ID token as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredIdToken {
    /// Id of the stored ID token.
    pub id: IdTokenId,
    /// Name of the token's provider.
    pub provider: String,
    /// Id of the entitlement that the token was redeemed for.
    pub entitlement: Option<EntitlementId>,
    /// Name of the user that the credential was issued to.
    pub user: Option<String>,
    /// JOSE header, as JSON.
    pub header: String,
    /// Claims of the token, as JSON.
    pub claims: String,
    /// Time of the first redemption.
    pub received_at: Moment,
}

/// Conditions for credentials to list, all of which must hold.
#[derive(Debug, Clone, Default)]
pub struct CredentialFilter {
    /// Name of the user.
    pub user: Option<String>,
    /// Time at which the credentials must be active.
    pub active_at: Option<Moment>,
    /// Id of the credential to continue after.
    pub after: Option<CredentialId>,
    /// Maximum number of credentials.
    pub limit: Option<u32>,
}

/// Redemptions at an issuer, and the credentials that they issued.
#[async_trait]
pub trait Redemptions {
    /// Marks the token as used and stores the credential in one transaction.
    ///
    /// # Errors
    /// [`StoreError`]; the inner error if something that the redemption depends on has changed.
    async fn redeem(&self, issuer: &IssuerId, redemption: &Redemption) -> Outcome<(), RedemptionRefusal>;

    /// Finds an ID token of our own issuer, with everything that it depends on; `None` if it was never recorded.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_issued(&self, issuer: &IssuerId, jti: Jti) -> Result<Option<IssuedToken>, StoreError>;

    /// Returns whether the token was used up.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn is_used(&self, issuer: &IssuerId, token: &TokenKey) -> Result<bool, StoreError>;

    /// Finds the credential with this digest, revoked and expired ones included.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_credential(&self, issuer: &IssuerId, digest: Sha256) -> Result<Option<StoredCredential>, StoreError>;

    /// Finds the credential of this id, revoked and expired ones included.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn show_credential(
        &self,
        issuer: &IssuerId,
        id: CredentialId,
    ) -> Result<Option<StoredCredential>, StoreError>;

    /// Lists the credentials that match `filter`, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_credentials(
        &self,
        issuer: &IssuerId,
        filter: &CredentialFilter,
    ) -> Result<Vec<StoredCredential>, StoreError>;

    /// Revokes a credential. Returns `false` if it does not exist; a second revocation changes nothing.
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

    /// Revokes an ID token: marks it as used, our own one as revoked, and revokes the credentials issued for it.
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

    /// Finds a stored ID token by its id.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_id_token(&self, issuer: &IssuerId, id: IdTokenId) -> Result<Option<StoredIdToken>, StoreError>;

    /// Lists the ID tokens that were redeemed for a user's credentials, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_id_tokens(&self, issuer: &IssuerId, user: &str) -> Result<Vec<StoredIdToken>, StoreError>;

    /// Deletes used tokens that were kept until before `before`. Returns their number.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn delete_used_tokens(&self, issuer: &IssuerId, before: Moment) -> Result<u64, StoreError>;
}
