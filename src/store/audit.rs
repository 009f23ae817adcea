//! The record of every ID token, on disk before the token leaves.

use async_trait::async_trait;
use serde::Serialize;

use super::error::StoreError;
use crate::base::{BuildId, ClientId, IssuerId, Jti, Moment, RequestTokenId, Sha256};
use crate::jose::Algorithm;

/// One issued token. Never the token itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditRow {
    /// The token's `jti`.
    pub jti: Jti,
    /// Its `iat`.
    pub issued_at: Moment,
    /// Its `exp`.
    pub expires_at: Moment,
    /// For which build.
    pub build_id: BuildId,
    /// Whose build.
    pub client_id: ClientId,
    /// Fetched with which request token; `None` for a direct token.
    pub request_token_id: Option<RequestTokenId>,
    /// Granted by which rule; `None` where the default granted.
    pub rule: Option<String>,
    /// Organisation.
    pub org: String,
    /// Repository's name alone.
    pub repo: String,
    /// The CI's number of the build.
    pub number: u64,
    /// Which step.
    pub step: Option<String>,
    /// The token's `sub`.
    pub subject: String,
    /// The token's `aud`.
    pub audiences: Vec<String>,
    /// The token's `alg`.
    pub alg: Algorithm,
    /// The token's `kid`.
    pub kid: String,
    /// Digest of the token's text.
    #[serde(serialize_with = "digest_as_text")]
    pub token_sha256: Sha256,
    /// Who asked, as an address.
    pub peer: Option<String>,
    /// The token's claims, as the JSON text that was signed.
    #[serde(skip)]
    pub claims: String,
}

fn digest_as_text<S: serde::Serializer>(digest: &Sha256, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(digest)
}

/// A token that wants to leave: its record, and the counts that must allow it.
#[derive(Debug, Clone)]
pub struct Issuance {
    /// The record.
    pub row: AuditRow,
    /// At most this many tokens a build; `None` for no limit.
    pub tokens_per_build: Option<u64>,
    /// At most this many tokens a build by the rule of the record; `None` for no limit.
    pub tokens_by_rule: Option<u64>,
    /// What was known of the client when the rules decided; were it another one by now, they decide anew.
    pub client_revision: u64,
    /// The moment at which build, client and token must be alive.
    pub now: Moment,
}

/// Why a token may not leave; nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssuanceRefusal {
    /// Token, build or client is dead.
    Dead,
    /// The build has had its tokens.
    BuildQuota,
    /// The build has had its tokens by this rule.
    RuleQuota,
    /// The request token has been used as often as it may.
    TokenUses,
}

/// Which records to list. Every condition that is given must hold.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Of this build.
    pub build: Option<BuildId>,
    /// With exactly this subject.
    pub subject: Option<String>,
    /// Issued at or after this moment.
    pub since: Option<Moment>,
}

/// The record of an issuer's tokens.
#[async_trait]
pub trait Audit {
    /// Records a token that may leave, and counts it, in one transaction; those that wait are committed together.
    /// Of a group as many as fit the counts are taken, the rest is refused.
    ///
    /// # Errors
    /// [`StoreError`]: the token must not leave; the inner error when build, token, client or a count forbids it.
    async fn record(&self, issuer: &IssuerId, issuance: Issuance) -> Result<Result<(), IssuanceRefusal>, StoreError>;

    /// The records that `filter` lets through, oldest first, up to `limit` after the record `after`.
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

    /// The record of this token.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_audit(&self, issuer: &IssuerId, jti: Jti) -> Result<Option<AuditRow>, StoreError>;
}
