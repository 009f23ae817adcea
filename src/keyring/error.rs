//! Errors and refusals of the keyring. Every text says what to do, and no text holds key material.

use std::path::PathBuf;

use super::clock_watch::ClockFault;
use crate::base::{EntropyError, Moment, Seconds};
use crate::jose::{Algorithm, KeyError};
use crate::store::StoreError;

/// Maximum number of keys in a former issuer's key set that can be adopted.
pub(super) const MOST_ADOPTED: usize = 100;

/// Error returned when signing keys cannot be read, opened, created or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The clock of this server is not sound.
    #[error(transparent)]
    Clock(#[from] ClockFault),
    /// Every attempt to change the keys conflicted with a change by another server.
    #[error("could not change the keys: other servers changed them at every attempt; retry")]
    Contended,
    /// The system's random generator failed.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The file of a key-encryption key cannot be read or created.
    #[error("key-encryption key {path}: {problem}", path = path.display())]
    File {
        /// Path of the key-encryption key's file.
        path: PathBuf,
        /// Description of the problem with the file.
        problem: String,
    },
    /// A signing key cannot be generated.
    #[error("could not generate a signing key: {0}")]
    Key(#[from] KeyError),
    /// The text of a key-encryption key is malformed.
    #[error("key-encryption key {id}: must be base64 of 32 bytes on one line, as `buildpass keys new-kek` creates it")]
    NotAKey {
        /// Configured id of the key-encryption key.
        id: String,
    },
    /// The database holds sealed signing keys, but the file of the key-encryption key is missing.
    #[error(
        "the database holds sealed signing keys, but the key-encryption key {path} is missing: restore it from the \
         backup; a new one cannot open them", path = path.display()
    )]
    Lost {
        /// Configured path of the key-encryption key's file.
        path: PathBuf,
    },
    /// This server last read the signing keys longer ago than `refresh_interval`, and could not read the keys again.
    #[error("could not read the signing keys from the database within keys.refresh_interval; retry later")]
    NoFreshView,
    /// The key settings of this server are not stored yet, so that other servers cannot respect these settings.
    #[error("the key settings of this server are not stored in the database yet; retry later")]
    SettingsNotStored,
    /// No signing key can be opened with the configured key-encryption keys.
    #[error(
        "no sealed signing key can be opened with the configured key-encryption keys (keys.key_encryption_keys): \
         restore the key-encryption key that sealed the signing keys"
    )]
    NothingOpens,
    /// The database cannot complete a transaction.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The task that generates a signing key was cancelled.
    #[error("the task that generates a signing key was cancelled; retry")]
    CutOff,
}

/// Error returned by an operator's act on the signing keys.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// The act failed: the cause is the server, not the act.
    #[error(transparent)]
    Failed(#[from] KeyringError),
    /// The act was refused, and nothing was written.
    #[error(transparent)]
    Refused(#[from] KeyRefusal),
}

/// Reason why an operator's act on the signing keys was refused; nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    /// The key set of a former issuer cannot be adopted.
    #[error("former issuer's key set: {0}")]
    Adoption(AdoptionError),
    /// The installation already has signing keys.
    #[error("signing keys exist already: `keys init` must run before the first start")]
    Begun,
    /// No key of any requested algorithm could sign now.
    #[error(
        "keys.algorithms: no key of {} signs yet; {}", names(.asked),
        .from.map_or_else(
            || "keep the old algorithms in the list until keys of the new ones sign".to_owned(),
            |from| format!("this list will be accepted from {from} on"),
        )
    )]
    NoneSigns {
        /// Requested list of signature algorithms.
        asked: Vec<Algorithm>,
        /// Time from which the first key of these algorithms signs; `None` if no such key is announced.
        from: Option<Moment>,
    },
    /// The installation has no signing keys yet.
    #[error("no signing keys exist yet: the first `buildpass serve` creates them")]
    NotBegun,
    /// The key to revoke was revoked before.
    #[error("key {kid} was already revoked at {at}")]
    Revoked {
        /// `kid` of the key that was revoked before.
        kid: String,
        /// Time at which the key was revoked before.
        at: Moment,
    },
    /// No key has the requested `kid`.
    #[error("no such key: {kid:?}; `buildpass keys list` shows all keys")]
    Unknown {
        /// Requested `kid`, which no key has.
        kid: String,
    },
    /// The announced key was announced too recently, so that some caches may lack the key.
    #[error(
        "did not switch to key {kid} ({alg}): it was announced at {announced_at}, and only {announce_for} later, from \
         {in_every_cache_from} on, is it in every cache. Without --now, the command schedules the switch for that time. \
         If the current key has leaked, use `keys revoke`"
    )]
    AnnouncedTooRecently {
        /// Algorithm of the announced key.
        alg: Algorithm,
        /// `kid` of the announced key.
        kid: String,
        /// Time at which the announced key was first published in the key set.
        announced_at: Moment,
        /// Time for which a key must be published before the key may sign.
        announce_for: Seconds,
        /// Time from which every cache holds the announced key.
        in_every_cache_from: Moment,
    },
    /// The signing keys are not scheduled yet, because no server was started since `keys init`.
    #[error("the signing keys are not scheduled yet: the first `buildpass serve` sets the times from which they sign")]
    Waiting,
}

fn names(algorithms: &[Algorithm]) -> String {
    algorithms.iter().map(|alg| alg.name()).collect::<Vec<_>>().join(", ")
}

/// Reason why a former issuer's key set cannot be adopted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdoptionError {
    /// A key of the set has a `kid` that cannot be stored.
    #[error("key {index}: its kid must be 1 to 256 printable ASCII characters")]
    Kid {
        /// Position of the key in the key set, from 1.
        index: usize,
    },
    /// The document is not a key set; holds the reason.
    #[error("not a key set (RFC 7517 §5): {0}")]
    KeySet(String),
    /// The key set holds no key that can be adopted.
    #[error("holds no key that verifies RS256 or ES256 signatures")]
    None,
    /// The key set holds one of our own keys.
    #[error("{kid} is one of our own keys: give the key set of the former issuer")]
    Ours {
        /// `kid` of our own key in the key set.
        kid: String,
    },
    /// The key set holds too many keys.
    #[error("holds more than {MOST_ADOPTED} keys")]
    TooMany,
}
