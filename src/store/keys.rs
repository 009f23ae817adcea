//! Rows of our signing keys: sealed halves and the times from which every state follows.

use async_trait::async_trait;

use super::StoreError;
use crate::base::{IssuerId, Moment, Seconds};
use crate::jose::Algorithm;

/// One signing key. States are never stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// Which algorithm it signs with.
    pub alg: Algorithm,
    /// The sealed private half; `None` once it was forgotten.
    pub sealed: Option<Vec<u8>>,
    /// Which key-encryption key sealed it.
    pub kek: Option<String>,
    /// From when it stands in the key set.
    pub announced_at: Moment,
    /// From when it signs, unless a later one does.
    pub signs_from: Moment,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Moment>,
    /// Why it was revoked.
    pub revoked_reason: Option<String>,
    /// The largest age that caches were told while it was live.
    pub jwks_max_age: Seconds,
    /// The largest lifetime that tokens could have while it was live.
    pub max_lifetime: Seconds,
}

/// All keys of an issuer at one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRows {
    /// Grows by one with each change; 0 where there was none yet.
    pub version: u64,
    /// The rows, by announcement and kid.
    pub rows: Vec<KeyRow>,
}

/// The signing keys of an issuer.
#[async_trait]
pub trait Keys {
    /// All rows, and the version that they stand at.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn read_keys(&self, issuer: &IssuerId) -> Result<KeyRows, StoreError>;

    /// Writes these rows (new ones, or changed ones by kid) if the version is still `expected`: compare and swap.
    /// `false` if another was quicker; nothing was written then.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn advance_keys(&self, issuer: &IssuerId, expected: u64, rows: &[KeyRow]) -> Result<bool, StoreError>;
}
