//! What an installation remembers of its signing keys: sealed halves, and the times from which every state follows.

use std::sync::Arc;

use async_trait::async_trait;

use super::error::StoreError;
use crate::base::{IssuerId, Moment, Seconds};
use crate::jose::Algorithm;

/// One signing key of ours. States are never stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// Which algorithm it signs with.
    pub alg: Algorithm,
    /// The sealed private half; `None` once it was erased.
    pub sealed: Option<Vec<u8>>,
    /// Which key-encryption key sealed it.
    pub kek: Option<String>,
    /// Its times; `None` while it waits for the first start that takes over from another issuer.
    pub times: Option<KeyTimes>,
    /// From when it signs no more, because its algorithm was taken out.
    pub ends_at: Option<Moment>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Moment>,
    /// Why it was revoked.
    pub revoked_reason: Option<String>,
    /// The largest age that caches were told while it was live.
    pub jwks_max_age: Seconds,
    /// The largest lifetime that tokens could have while it was live.
    pub max_lifetime: Seconds,
}

/// The two times that are decided when a key is announced; all others follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyTimes {
    /// From when it stands in the key set.
    pub announced_at: Moment,
    /// From when it signs, unless a later one does.
    pub signs_from: Moment,
}

/// A public key of a former issuer at our URL, sealed as one text so that nobody adds one by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdoptedRow {
    /// What its former owner called it.
    pub kid: String,
    /// Its JWK and its end, sealed.
    pub sealed: Vec<u8>,
    /// Which key-encryption key sealed it.
    pub kek: String,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Moment>,
    /// Why it was revoked.
    pub revoked_reason: Option<String>,
}

/// Under which settings one server of this installation tells the world how long caches and tokens last. What one has
/// told counts for all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// Which server: a name that each process draws when it starts.
    pub server: String,
    /// How long it announces keys, by which it judges how long an old view is good for.
    pub announce_for: Seconds,
    /// How long caches may keep what it serves.
    pub jwks_max_age: Seconds,
    /// The longest lifetime of its tokens.
    pub max_lifetime: Seconds,
    /// When it was last known to run.
    pub promised_at: Moment,
}

/// Text that only the keyring reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedText {
    /// The ciphertext.
    pub sealed: Vec<u8>,
    /// Which key-encryption key sealed it.
    pub kek: String,
}

/// All keys of an issuer at one version.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyRows {
    /// Grows by one with each change; 0 where there was none yet.
    pub version: u64,
    /// The algorithms in force, the default first; empty where none were brought in yet.
    pub algorithms: Vec<Algorithm>,
    /// The largest time that any of us has seen.
    pub latest_seen: Option<Moment>,
    /// What servers of this installation promised lately, by server.
    pub server_settings: Vec<ServerSettings>,
    /// What is known of the issuer that stood at our URL before us, sealed.
    pub takeover: Option<SealedText>,
    /// Our keys, by kid.
    pub rows: Vec<KeyRow>,
    /// A former issuer's keys, by kid.
    pub adopted: Vec<AdoptedRow>,
}

/// What one step changes. Rows are new ones, or replace those of the same kid.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyChange {
    /// The algorithms from now on; `None` for no change.
    pub algorithms: Option<Vec<Algorithm>>,
    /// What stands as the largest time seen from now on, even if it is smaller; `None` for no change.
    pub latest_seen: Option<Moment>,
    /// What one server promises from now on; `None` for no change.
    pub server_settings: Option<ServerSettings>,
    /// What is known of the former issuer from now on; `None` for no change.
    pub takeover: Option<SealedText>,
    /// Our keys.
    pub rows: Vec<KeyRow>,
    /// A former issuer's keys.
    pub adopted: Vec<AdoptedRow>,
}

/// The little that a replica asks for all the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPoll {
    /// The version that the keys stand at.
    pub version: u64,
    /// The largest time that any of us has seen.
    pub latest_seen: Option<Moment>,
    /// The database server's own clock in milliseconds since 1970; `None` where the database has no clock but ours.
    pub server_millis: Option<i64>,
}

/// What a server says of time while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeNote {
    /// Which server: its promise is kept up.
    pub server: String,
    /// *Now*.
    pub now: Moment,
    /// Nothing newer than this may be erased for good; promises older than this are dropped. `None` for no change.
    pub erasable_before: Option<Moment>,
}

/// Asked with the write lock held, right before a change is committed: may it still be? A change of keys announces them
/// at the moment when it was decided, and must not lie somewhere for long after that.
pub type Still = Arc<dyn Fn() -> bool + Send + Sync>;

/// The signing keys of an issuer.
#[async_trait]
pub trait Keys {
    /// All rows, and the version that they stand at.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn read_keys(&self, issuer: &IssuerId) -> Result<KeyRows, StoreError>;

    /// The version alone, and the clocks to compare ours with.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn key_poll(&self, issuer: &IssuerId) -> Result<KeyPoll, StoreError>;

    /// Writes a change if the version is still `expected`, and if `still` says so: compare and swap.
    /// `false` if another was quicker, or it took too long; nothing was written then.
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

    /// Remembers what time it is. The largest time seen never shrinks by it; no version changes, and where there are no
    /// keys nothing is remembered.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn note_time(&self, issuer: &IssuerId, note: TimeNote) -> Result<(), StoreError>;
}
