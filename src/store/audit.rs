//! The audit record of ID tokens, committed before a token is returned to its caller.

use async_trait::async_trait;
use serde::Serialize;

use super::error::{Outcome, StoreError};
use crate::base::{BuildId, ClientId, IssuerId, Jti, Moment, RequestTokenId, Sha256};
use crate::jose::Algorithm;

/// Record of one issued ID token. Never holds the token itself.
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
    /// Id of the request token that the token was fetched with; `None` for a direct token.
    pub request_token_id: Option<RequestTokenId>,
    /// Name of the issuance rule that allowed the token; `None` if the default allowed it.
    pub rule: Option<String>,
    /// Name of the organisation.
    pub org: String,
    /// Name of the repository, without its organisation.
    pub repo: String,
    /// Number that the CI server gave the build.
    pub number: u64,
    /// Name of the step, for a token of one step.
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
    /// IP address of the caller.
    pub peer: Option<String>,
    /// The token's claims, as the JSON text that was signed.
    #[serde(skip)]
    pub claims: String,
}

fn digest_as_text<S: serde::Serializer>(digest: &Sha256, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(digest)
}

/// A token to issue: its record, and the limits that must allow it.
#[derive(Debug, Clone)]
pub struct Issuance {
    /// Audit record of the token.
    pub row: AuditRow,
    /// Maximum number of tokens for one build; `None` for no limit.
    pub tokens_per_build: Option<u64>,
    /// Maximum number of tokens for one build by the rule of the record; `None` for no limit.
    pub tokens_by_rule: Option<u64>,
    /// Client revision that the rules were evaluated against. If it has changed by commit time, the token is refused.
    pub client_revision: u64,
    /// Time at which build, client and request token must be active.
    pub now: Moment,
}

/// Refusal of an issuance; nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssuanceRefusal {
    /// The request token, its build or its client is not active.
    NotActive,
    /// The build has as many tokens as it may have.
    BuildQuota,
    /// The build has as many tokens by this rule as it may have.
    RuleQuota,
    /// The request token was used as often as it may be.
    TokenUses,
}

/// Conditions for audit records to list, all of which must hold.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Id of the build.
    pub build: Option<BuildId>,
    /// Exact `sub` of the token.
    pub subject: Option<String>,
    /// Earliest time of issue.
    pub since: Option<Moment>,
}

/// Audit record of an issuer's ID tokens.
#[async_trait]
pub trait Audit {
    /// Records and counts a token in one transaction; waiting tokens are committed together as a group. As many tokens of
    /// a group as fit the limits are accepted, the others are refused.
    ///
    /// # Errors
    /// [`StoreError`]: the token must not be returned. The inner error if build, token, client or a limit forbids it.
    async fn record(&self, issuer: &IssuerId, issuance: Issuance) -> Outcome<(), IssuanceRefusal>;

    /// Lists the records that match `filter`, oldest first, at most `limit`, from after the record `after`.
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

    /// Finds the record of a token.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_audit(&self, issuer: &IssuerId, jti: Jti) -> Result<Option<AuditRow>, StoreError>;
}
