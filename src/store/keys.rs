//! Storage of signing keys: sealed private keys, and the times from which the state of a key is computed. A private key
//! is never stored unsealed.

use std::sync::Arc;

use async_trait::async_trait;

use super::error::StoreError;
use crate::base::{IssuerId, Moment, Seconds};
use crate::jose::Algorithm;

/// One stored signing key. The state of the key is never stored, but computed from the key's times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// RFC 7638 thumbprint of the public key.
    pub kid: String,
    /// Signature algorithm of the key.
    pub alg: Algorithm,
    /// Sealed private key; `None` after the private key was erased.
    pub sealed: Option<Vec<u8>>,
    /// Id of the key-encryption key that sealed the private key.
    pub kek: Option<String>,
    /// Times at which the key is published and begins to sign; `None` after `keys init`, until the first server starts.
    pub times: Option<KeyTimes>,
    /// Time from which the key no longer signs; `None` unless the key's algorithm was removed from the issuer's list of
    /// algorithms.
    pub ends_at: Option<Moment>,
    /// Time at which the key was revoked; `None` if the key is not revoked.
    pub revoked_at: Option<Moment>,
    /// Reason why the key was revoked.
    pub revoked_reason: Option<String>,
    /// Largest `max-age` with which the key set was served while the key was published.
    pub jwks_max_age: Seconds,
    /// Largest lifetime that a token signed by the key can have.
    pub max_lifetime: Seconds,
}

/// The two times of a key that are set when the key is announced; all other times of the key are computed from these
/// two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyTimes {
    /// Time from which the key is published in the key set.
    pub announced_at: Moment,
    /// Time from which the key signs, until a later key signs instead.
    pub signs_from: Moment,
}

/// A public key of the former issuer, which served our URL before us. The key stays in our key set for a time. The row
/// is sealed, so that a row that was added by hand is rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdoptedRow {
    /// `kid` that the former issuer gave the key.
    pub kid: String,
    /// Sealed text: the public key as a JWK, and the time at which the key leaves our key set.
    pub sealed: Vec<u8>,
    /// Id of the key-encryption key that sealed the text.
    pub kek: String,
    /// Time at which the key was revoked; `None` if the key is not revoked.
    pub revoked_at: Option<Moment>,
    /// Reason why the key was revoked.
    pub revoked_reason: Option<String>,
}

/// Configured lifetimes of one running server, for its caches and its tokens. Every server of the installation respects
/// the stored lifetimes of all running servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// Random name of the server's process, chosen at its start.
    pub server: String,
    /// Time for which the server publishes a key before the key signs, and for which the server relies on the keys that
    /// it last read.
    pub announce_for: Seconds,
    /// `max-age` of the key set that the server serves.
    pub jwks_max_age: Seconds,
    /// Maximum lifetime of the tokens that the server signs.
    pub max_lifetime: Seconds,
    /// Time at which the server last stored or confirmed these settings.
    pub stored_at: Moment,
}

/// Text sealed with a key-encryption key, which only the keyring can open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedText {
    /// Nonce, ciphertext and tag of the sealed text.
    pub sealed: Vec<u8>,
    /// Id of the key-encryption key that sealed the text.
    pub kek: String,
}

/// All keys of an issuer and their shared settings, all of the same version.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyRows {
    /// Version of the keys: the number of changes so far.
    pub version: u64,
    /// Current list of signature algorithms, the default first; empty before the first configuration was applied.
    pub algorithms: Vec<Algorithm>,
    /// Latest time that any server of the installation has reported.
    pub latest_seen: Option<Moment>,
    /// Lifetimes used by the servers that ran lately, sorted by server.
    pub server_settings: Vec<ServerSettings>,
    /// Sealed record of the issuer that served our URL before us, if there was one.
    pub takeover: Option<SealedText>,
    /// Our signing keys, sorted by `kid`.
    pub rows: Vec<KeyRow>,
    /// Public keys of a former issuer, sorted by `kid`.
    pub adopted: Vec<AdoptedRow>,
}

/// Change of an issuer's keys and their shared settings. A row is inserted, or replaces the stored row with an equal
/// `kid`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyChange {
    /// New list of signature algorithms; `None` for no change.
    pub algorithms: Option<Vec<Algorithm>>,
    /// New value of [`KeyRows::latest_seen`], even if earlier than the stored value; `None` for no change.
    pub latest_seen: Option<Moment>,
    /// New lifetimes used by one server; `None` for no change.
    pub server_settings: Option<ServerSettings>,
    /// New sealed record of a former issuer; `None` for no change.
    pub takeover: Option<SealedText>,
    /// Our signing keys to write.
    pub rows: Vec<KeyRow>,
    /// Public keys of a former issuer to write.
    pub adopted: Vec<AdoptedRow>,
}

/// Result of the short query with which a server notices changed keys and clock differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPoll {
    /// Current version of the keys.
    pub version: u64,
    /// Latest time that any server of the installation has reported.
    pub latest_seen: Option<Moment>,
    /// Clock of the database server in milliseconds since 1970; `None` if the database has no clock of its own.
    pub server_millis: Option<i64>,
}

/// Report of a running server about its current time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeNote {
    /// Name of the reporting server; while the server reports, its stored lifetimes stay in force.
    pub server: String,
    /// Current time of the reporting server.
    pub now: Moment,
    /// Time that has certainly passed, even if the server's clock is wrong: records that expired before this time may
    /// be erased. `None` if no such time is known.
    pub erasable_before: Option<Moment>,
}

/// Returns whether a change of keys may still be committed. The store calls this function right before the commit,
/// under the write lock, since a change must not be committed long after the time for which it was planned.
pub type Still = Arc<dyn Fn() -> bool + Send + Sync>;

/// Storage of an issuer's signing keys.
#[async_trait]
pub trait Keys {
    /// Reads all keys and their shared settings, all of the same version.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn read_keys(&self, issuer: &IssuerId) -> Result<KeyRows, StoreError>;

    /// Reads the version of the keys, and the times that a server compares its clock with.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn key_poll(&self, issuer: &IssuerId) -> Result<KeyPoll, StoreError>;

    /// Writes a change of keys if the version is still `expected` and `still` returns `true` (compare-and-swap).
    /// Returns `false`, and writes nothing, if another change came first or this change waited too long.
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

    /// Stores the time that a server reports. The stored latest time never decreases, and the version of the keys does
    /// not change; nothing is stored before the issuer has keys.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn note_time(&self, issuer: &IssuerId, note: TimeNote) -> Result<(), StoreError>;
}
