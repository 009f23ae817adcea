//! Storage of audit records, one for each issued ID token. A token leaves the server only after the token's audit
//! record is committed.

use async_trait::async_trait;
use serde::Serialize;

use super::error::{Outcome, StoreError};
use crate::base::{BuildId, ClientId, IssuerId, Jti, Moment, RequestTokenId, Sha256};
use crate::jose::Algorithm;

/// Audit record of one issued ID token. The record never holds the token itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditRow {
    /// The token's `jti`.
    pub jti: Jti,
    /// The token's `iat`.
    pub issued_at: Moment,
    /// The token's `exp`.
    pub expires_at: Moment,
    /// Id of the build that the token describes.
    pub build_id: BuildId,
    /// Id of the client that registered the build.
    pub client_id: ClientId,
    /// Id of the request token that fetched the ID token; `None` if a CI server requested the ID token directly.
    pub request_token_id: Option<RequestTokenId>,
    /// Name of the issuance rule that allowed the token; `None` if the policy's default allowed the token.
    pub rule: Option<String>,
    /// Name of the build's organisation.
    pub org: String,
    /// Name of the build's repository, without the organisation.
    pub repo: String,
    /// Number that the CI server gave the build.
    pub number: u64,
    /// Name of the build's step that the token was issued for; `None` for a token of the whole build.
    pub step: Option<String>,
    /// The token's `sub`.
    pub subject: String,
    /// The token's `aud`.
    pub audiences: Vec<String>,
    /// The token's `alg`.
    pub alg: Algorithm,
    /// The token's `kid`.
    pub kid: String,
    /// SHA-256 digest of the token's text.
    #[serde(serialize_with = "digest_as_text")]
    pub token_sha256: Sha256,
    /// IP address from which the token was requested, if known.
    pub peer: Option<String>,
    /// The token's claims, as the JSON text that was signed.
    #[serde(skip)]
    pub claims: String,
}

fn digest_as_text<S: serde::Serializer>(digest: &Sha256, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(digest)
}

/// A signed token to record as issued: the token's audit record, and the limits that the transaction checks.
#[derive(Debug, Clone)]
pub struct Issuance {
    /// Audit record of the token.
    pub row: AuditRow,
    /// Maximum number of tokens of the build; `None` for no limit.
    pub tokens_per_build: Option<u64>,
    /// Maximum number of the build's tokens that the rule named in the record may allow; `None` for no limit.
    pub tokens_by_rule: Option<u64>,
    /// Revision that the client had when the issuance rules were evaluated. If the stored client has another revision
    /// by the commit, the token is refused.
    pub client_revision: u64,
    /// Time at which the build, the client and the request token must be active.
    pub now: Moment,
}

/// Reason why a token was not recorded as issued; nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssuanceRefusal {
    /// The request token or the build is not active, or the client was disabled or changed.
    NotActive,
    /// The build has as many tokens as [`Issuance::tokens_per_build`] allows.
    BuildQuota,
    /// The rule has allowed as many tokens of the build as [`Issuance::tokens_by_rule`] allows.
    RuleQuota,
    /// The request token has fetched as many ID tokens as its limit of uses allows.
    TokenUses,
}

/// Filter for listing audit records: a record is listed if all conditions hold.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Id of the build that the token describes; `None` for any build.
    pub build: Option<BuildId>,
    /// Exact `sub` of the token; `None` for any subject.
    pub subject: Option<String>,
    /// Earliest `iat` of the token; `None` for no limit.
    pub since: Option<Moment>,
}

/// Storage of the audit records of an issuer's ID tokens.
#[async_trait]
pub trait Audit {
    /// Records a token as issued, and counts the token against its limits. Tokens that wait at the same time share one
    /// transaction. If a limit has room for only some of these tokens, the later ones are refused.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed: the caller must then not hand out the token. The inner error if the build,
    /// the request token, the client or a limit forbids the token.
    async fn record(&self, issuer: &IssuerId, issuance: Issuance) -> Outcome<(), IssuanceRefusal>;

    /// Lists at most `limit` records that match `filter`, oldest first, beginning after the record with the `iat` and
    /// `jti` in `after`.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_audit(
        &self,
        issuer: &IssuerId,
        filter: &AuditFilter,
        after: Option<(Moment, Jti)>,
        limit: u32,
    ) -> Result<Vec<AuditRow>, StoreError>;

    /// Finds the audit record of a token by the token's `jti`.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_audit(&self, issuer: &IssuerId, jti: Jti) -> Result<Option<AuditRow>, StoreError>;
}
