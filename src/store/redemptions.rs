//! Storage of redemptions: the subject tokens that were redeemed, and the credentials that were issued for these
//! tokens. One transaction marks the subject token as used, stores the credential and the token, and locks every row
//! that the credential depends on. A revoked token or credential never becomes active again.

use async_trait::async_trait;
use strum::{Display, EnumString, IntoStaticStr};

use super::error::{Outcome, StoreError};
use super::events::EventRow;
use super::stored_build::StoredBuild;
use crate::base::{BuildId, ClientId, CredentialId, EntitlementId, IdTokenId, IssuerId, Jti, Moment, Seconds, Sha256};
use crate::claims::BuildStep;
use crate::policy::{Client, Pins};

/// Time after a token's `exp` for which the record of the used token is kept. After that no verifier accepts the token,
/// even with the largest clock tolerance.
pub(crate) const USED_TOKEN_KEPT_FOR: Seconds = crate::verifier::MAX_TOLERANCE;

/// Whether a credential is an access token or an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, IntoStaticStr, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum CredentialKind {
    /// Access token: a JWT (RFC 9068) that our issuer signed.
    AccessToken,
    /// API key: an opaque text.
    Key,
}

/// Key by which a subject token is recorded as used: the token's issuer, and the digest of the token's `jti` or,
/// without a `jti`, of header and payload. The signature is no part of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenKey {
    /// The token's `iss`.
    pub issuer: String,
    /// SHA-256 digest of the token's `jti`; of header and payload if the token has no `jti`.
    pub digest: Sha256,
}

/// An ID token of our own issuer, with the current state of the build and the client that the token depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdTokenRecord {
    /// SHA-256 digest of the token's text.
    pub token_sha256: Sha256,
    /// `kid` of the key that signed the token.
    pub kid: String,
    /// Time at which the token was revoked; `None` if the token is not revoked.
    pub revoked_at: Option<Moment>,
    /// Build that the token describes.
    pub build: StoredBuild,
    /// Client that registered the build.
    pub client: Client,
    /// Step of the build, if a step's request token fetched the ID token.
    pub step: Option<BuildStep>,
}

/// Rows that the redemption of an ID token of our own issuer depends on: the token's record, its build, client and
/// signing key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnToken {
    /// The subject token's `jti`.
    pub jti: Jti,
    /// Id of the build that the subject token describes.
    pub build: BuildId,
    /// Id of the client that registered the build.
    pub client: ClientId,
    /// `kid` of the key that signed the subject token.
    pub kid: String,
}

/// Redeemed subject token to store together with the credential that was issued for the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewIdToken {
    /// Id under which the token is stored.
    pub id: IdTokenId,
    /// `kid` of the key that signed the token.
    pub kid: String,
    /// JOSE header of the token, as JSON.
    pub header: String,
    /// Claims of the token, as JSON.
    pub claims: String,
    /// The token's `exp`.
    pub expires_at: Moment,
}

/// A credential to store, as the exchange issues it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCredential {
    /// Id of the credential; the `jti` if the credential is an access token.
    pub id: CredentialId,
    /// Whether the credential is an access token or an API key.
    pub kind: CredentialKind,
    /// SHA-256 digest of the credential's text.
    pub digest: Sha256,
    /// Stable name of the exchange's flow that issued the credential.
    pub flow: String,
    /// Name of the credential for display.
    pub name: String,
    /// Subject that the credential authenticates.
    pub subject: String,
    /// Owner of the credential: the name of one of our users, or a name that the downstream registry knows.
    pub owner: Option<String>,
    /// Scopes that the credential is limited to.
    pub scopes: Vec<String>,
    /// Globs of the packages that the credential is limited to.
    pub packages: Vec<String>,
    /// Audience of the credential: the name of the registry or service that may accept it.
    pub audience: String,
    /// Whether the credential stays valid after its build has finished.
    pub outlives_build: bool,
    /// `kid` of our signing key that signed the credential; `None` for an API key.
    pub signed_by: Option<String>,
    /// Time at which the credential expires.
    pub expires_at: Moment,
}

/// A redemption, that is the exchange of a subject token for a credential: the rows that it depends on, and the rows to
/// store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redemption {
    /// Time of the redemption.
    pub now: Moment,
    /// Key of the subject token, by which the token is recorded as used.
    pub token: TokenKey,
    /// Whether the subject token can be redeemed only once.
    pub single_use: bool,
    /// Rows that a subject token of our own issuer depends on; `None` for a token of another issuer.
    pub own: Option<OwnToken>,
    /// Name of the user that the credential is issued to; the user must be enabled.
    pub user: Option<String>,
    /// Name of the provider that verified the subject token.
    pub provider: String,
    /// Revision of the provider that verified the subject token; `None` for our own issuer.
    pub provider_revision: Option<u64>,
    /// Id of the entitlement (role, trusted publisher, trust policy or grant) that allows the redemption, and its
    /// revision when it was evaluated.
    pub entitlement: Option<(EntitlementId, u64)>,
    /// Further entitlements that the credential depends on: each with its id, and its revision when it was evaluated.
    pub also: Vec<(EntitlementId, u64)>,
    /// Repository and owner ids of the subject token that the entitlement requires from now on (pinned on first use);
    /// `None` if nothing is pinned.
    pub pins: Option<Pins>,
    /// The subject token to store.
    pub id_token: NewIdToken,
    /// The credential to store.
    pub credential: NewCredential,
    /// Event for operators that records the redemption.
    pub event: EventRow,
}

impl Redemption {
    /// Returns the time until which the record of the used subject token is kept.
    #[must_use]
    pub fn kept_until(&self) -> Moment {
        self.id_token.expires_at + USED_TOKEN_KEPT_FOR
    }
}

/// Reason why a subject token was not redeemed; nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedemptionRefusal {
    /// The build of the subject token has finished or expired.
    BuildFinished,
    /// The client that registered the subject token's build is disabled.
    ClientDisabled,
    /// The signing key of the subject token is revoked.
    KeyRevoked,
    /// An entitlement or the provider changed after it was evaluated; the redemption must be evaluated again.
    RulesChanged,
    /// The signing key of the access token to issue is revoked.
    SignerRevoked,
    /// The subject token is revoked.
    TokenRevoked,
    /// The subject token is recorded as used, by an earlier redemption or by a revocation.
    Used,
    /// The user that the credential would be issued to is disabled.
    UserDisabled,
}

/// A credential as stored. The text of the credential is never stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCredential {
    /// Id of the credential; the `jti` if the credential is an access token.
    pub id: CredentialId,
    /// Whether the credential is an access token or an API key.
    pub kind: CredentialKind,
    /// Stable name of the exchange's flow that issued the credential.
    pub flow: String,
    /// Name of the credential for display.
    pub name: String,
    /// Subject that the credential authenticates.
    pub subject: String,
    /// Owner of the credential: the name of one of our users, or a name that the downstream registry knows.
    pub owner: Option<String>,
    /// Scopes that the credential is limited to.
    pub scopes: Vec<String>,
    /// Globs of the packages that the credential is limited to.
    pub packages: Vec<String>,
    /// Audience of the credential: the name of the registry or service that may accept it.
    pub audience: String,
    /// Id of the entitlement (role, trusted publisher, trust policy or grant) under which the credential was issued.
    pub entitlement: Option<EntitlementId>,
    /// Name of the provider that verified the redeemed subject token.
    pub provider: String,
    /// Name of the user that the credential was issued to, if any.
    pub user: Option<String>,
    /// Id of the build of the redeemed subject token; `None` for a token of another issuer.
    pub build: Option<BuildId>,
    /// Id of the stored subject token that was redeemed.
    pub id_token: IdTokenId,
    /// Time at which the credential was issued.
    pub created_at: Moment,
    /// Time at which the credential expires.
    pub expires_at: Moment,
    /// Time and reason of the credential's revocation; `None` if the credential is not revoked.
    pub revoked: Option<(Moment, String)>,
}

impl StoredCredential {
    /// Returns whether the credential is neither revoked nor expired at `now`.
    #[must_use]
    pub fn is_active(&self, now: Moment) -> bool {
        self.revoked.is_none() && self.expires_at > now
    }
}

/// A redeemed subject token as stored: the token's header and claims, without the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredIdToken {
    /// Id under which the token is stored.
    pub id: IdTokenId,
    /// Name of the provider that verified the token.
    pub provider: String,
    /// Id of the entitlement under which the token was redeemed.
    pub entitlement: Option<EntitlementId>,
    /// Name of the user that the credential for the token was issued to, if any.
    pub user: Option<String>,
    /// JOSE header of the token, as JSON.
    pub header: String,
    /// Claims of the token, as JSON.
    pub claims: String,
    /// Time at which the token was first redeemed.
    pub received_at: Moment,
}

/// A subject token that its holder revokes.
#[derive(Debug, Clone)]
pub struct RevokedToken {
    /// Key by which the token is recorded as used.
    pub key: TokenKey,
    /// The token's `jti` if our issuer signed the token.
    pub own: Option<Jti>,
    /// Time until which the row of the used token is kept.
    pub kept_until: Moment,
}

/// Filter for listing credentials: a credential is listed if all conditions hold.
#[derive(Debug, Clone, Default)]
pub struct CredentialFilter {
    /// Name of the user that the credential was issued to; `None` for any user.
    pub user: Option<String>,
    /// Time at which the credential must be active; `None` to list inactive credentials too.
    pub active_at: Option<Moment>,
    /// Id of the credential after which the list begins; `None` to begin with the oldest.
    pub after: Option<CredentialId>,
    /// Maximum number of credentials to list; `None` for no limit.
    pub limit: Option<u32>,
}

/// Storage of an issuer's redemptions, and of the credentials issued by redemptions.
#[async_trait]
pub trait Redemptions {
    /// Marks the subject token as used and stores the credential, in one transaction.
    ///
    /// # Errors
    /// [`StoreError`]; the inner error if the token was used before or a row that the redemption depends on has
    /// changed.
    async fn redeem(&self, issuer: &IssuerId, redemption: &Redemption) -> Outcome<(), RedemptionRefusal>;

    /// Finds the ID token of our own issuer with this `jti`, with build and client; `None` if no such token was
    /// recorded.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_issued(&self, issuer: &IssuerId, jti: Jti) -> Result<Option<IdTokenRecord>, StoreError>;

    /// Returns whether the subject token must not be redeemed any more, because it was used or revoked.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn is_used(&self, issuer: &IssuerId, token: &TokenKey) -> Result<bool, StoreError>;

    /// Finds a credential by the digest of its text, even if the credential is revoked or expired.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_credential(&self, issuer: &IssuerId, digest: Sha256) -> Result<Option<StoredCredential>, StoreError>;

    /// Finds a credential by its id, even if the credential is revoked or expired.
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

    /// Revokes a credential. Returns `false` if the credential does not exist. Revoking a revoked credential changes
    /// nothing.
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

    /// Revokes a subject token: marks the token as used, and revokes the credentials issued for the token. The audit
    /// record of a token that our issuer signed is marked as revoked too.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn revoke_id_token(
        &self,
        issuer: &IssuerId,
        token: &RevokedToken,
        event: &EventRow,
        now: Moment,
    ) -> Result<(), StoreError>;

    /// Finds a redeemed subject token by the id under which the token is stored.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_id_token(&self, issuer: &IssuerId, id: IdTokenId) -> Result<Option<StoredIdToken>, StoreError>;

    /// Lists the subject tokens that were redeemed for a user's credentials, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_id_tokens(&self, issuer: &IssuerId, user: &str) -> Result<Vec<StoredIdToken>, StoreError>;

    /// Deletes the records of used tokens that had to be kept only until a time before `before`. Returns the number of
    /// deleted records.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn delete_used_tokens(&self, issuer: &IssuerId, before: Moment) -> Result<u64, StoreError>;
}
