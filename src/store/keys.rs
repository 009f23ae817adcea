//! Signing keys as they are stored: sealed private keys, and the times from which every state follows.

use std::sync::Arc;

use async_trait::async_trait;

use super::error::StoreError;
use crate::base::{IssuerId, Moment, Seconds};
use crate::jose::Algorithm;

/// One signing key. Its state is never stored: it follows from the times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// RFC 7638 thumbprint of the public key.
    pub kid: String,
    /// Algorithm of the key.
    pub alg: Algorithm,
    /// Sealed private key; `None` once it was erased.
    pub sealed: Option<Vec<u8>>,
    /// Id of the key-encryption key that sealed it.
    pub kek: Option<String>,
    /// Times of the key; `None` until the first start after `keys init` schedules them.
    pub times: Option<KeyTimes>,
    /// Time from which the key no longer signs, because its algorithm was removed.
    pub ends_at: Option<Moment>,
    /// Time of revocation, if the key was revoked.
    pub revoked_at: Option<Moment>,
    /// Reason for the revocation.
    pub revoked_reason: Option<String>,
    /// Largest `max-age` of the key set that was served while the key was published.
    pub jwks_max_age: Seconds,
    /// Largest lifetime of a token that the key could sign.
    pub max_lifetime: Seconds,
}

/// The two times that are set when a key is announced; all other times follow from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyTimes {
    /// Time from which the key is in the key set.
    pub announced_at: Moment,
    /// Time from which the key signs, until a later key does.
    pub signs_from: Moment,
}

/// A public key of the former issuer at our URL. Sealed as one text, so that a row added by hand is rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdoptedRow {
    /// `kid` that the former issuer gave the key.
    pub kid: String,
    /// Sealed JWK, with the time at which it leaves the key set.
    pub sealed: Vec<u8>,
    /// Id of the key-encryption key that sealed it.
    pub kek: String,
    /// Time of revocation, if the key was revoked.
    pub revoked_at: Option<Moment>,
    /// Reason for the revocation.
    pub revoked_reason: Option<String>,
}

/// Cache and token lifetimes of one running server. Every server of the installation honours the lifetimes that any of
/// them has published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// Random name that the process chose when it started.
    pub server: String,
    /// Time for which the server announces keys, and for which it trusts its view of them.
    pub announce_for: Seconds,
    /// `max-age` of the key set that the server serves.
    pub jwks_max_age: Seconds,
    /// Maximum lifetime of the server's tokens.
    pub max_lifetime: Seconds,
    /// Time at which the server last stored or confirmed these settings.
    pub stored_at: Moment,
}

/// Sealed text that only the keyring can open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedText {
    /// Ciphertext with its nonce and tag.
    pub sealed: Vec<u8>,
    /// Id of the key-encryption key that sealed it.
    pub kek: String,
}

/// Keys of an issuer at one version.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyRows {
    /// Number of changes so far.
    pub version: u64,
    /// Current algorithms, the default first; empty before the first configuration was applied.
    pub algorithms: Vec<Algorithm>,
    /// Latest time that any server has seen.
    pub latest_seen: Option<Moment>,
    /// Settings of the servers that ran lately, by server.
    pub server_settings: Vec<ServerSettings>,
    /// Sealed terms of the takeover from a former issuer at our URL.
    pub takeover: Option<SealedText>,
    /// Signing keys by `kid`.
    pub rows: Vec<KeyRow>,
    /// Adopted keys of a former issuer by `kid`.
    pub adopted: Vec<AdoptedRow>,
}

/// Change of the keys. Rows are inserted, or replace the rows of the same `kid`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyChange {
    /// New list of algorithms; `None` for no change.
    pub algorithms: Option<Vec<Algorithm>>,
    /// New latest time seen, even if it is earlier than the stored one; `None` for no change.
    pub latest_seen: Option<Moment>,
    /// Settings of one server; `None` for no change.
    pub server_settings: Option<ServerSettings>,
    /// Sealed terms of the takeover; `None` for no change.
    pub takeover: Option<SealedText>,
    /// Signing keys to write.
    pub rows: Vec<KeyRow>,
    /// Adopted keys to write.
    pub adopted: Vec<AdoptedRow>,
}

/// Short query with which a replica notices changes and clock differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPoll {
    /// Current version of the keys.
    pub version: u64,
    /// Latest time that any server has seen.
    pub latest_seen: Option<Moment>,
    /// Clock of the database server in milliseconds since 1970; `None` if the database has no clock of its own.
    pub server_millis: Option<i64>,
}

/// Report of a running server about the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeNote {
    /// Name of the server, whose settings stay in force.
    pub server: String,
    /// Current time of the server.
    pub now: Moment,
    /// Time until which keys may be erased and settings of stopped servers deleted; `None` for no change.
    pub erasable_before: Option<Moment>,
}

/// Returns whether a change may still be committed. Called with the write lock held, right before the commit: a change of
/// keys carries the time at which it was planned, and must not wait for long after that.
pub type Still = Arc<dyn Fn() -> bool + Send + Sync>;

/// Signing keys of an issuer.
#[async_trait]
pub trait Keys {
    /// Reads all rows at one version.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn read_keys(&self, issuer: &IssuerId) -> Result<KeyRows, StoreError>;

    /// Reads the version alone, with the clocks to compare ours with.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn key_poll(&self, issuer: &IssuerId) -> Result<KeyPoll, StoreError>;

    /// Compare-and-swap: writes a change if the version is still `expected` and `still` returns `true`. Returns `false` if
    /// another change came first or the change waited too long; nothing was written then.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn advance_keys(
        &self,
        issuer: &IssuerId,
        expected: u64,
        change: &KeyChange,
        still: &Still,
    ) -> Result<bool, StoreError>;

    /// Stores the time that a server reports. The latest time seen never decreases by it, and the version does not change;
    /// without keys nothing is stored.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn note_time(&self, issuer: &IssuerId, note: TimeNote) -> Result<(), StoreError>;
}
