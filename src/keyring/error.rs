//! Why keys can't be had. Every text says what to do, and none holds a key.

use std::path::PathBuf;

use super::clock_watch::ClockFault;
use crate::base::{EntropyError, Moment, Seconds};
use crate::jose::{Algorithm, KeyError};
use crate::store::StoreError;

/// More keys than any issuer has at a time.
pub(super) const MOST_ADOPTED: usize = 100;

/// The keys can't be opened, made or read.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// Our clock is not to be believed.
    #[error(transparent)]
    Clock(#[from] ClockFault),
    /// Others changed the keys again and again while we tried.
    #[error("the keys were changed by others at every try; try again")]
    Contended,
    /// The generator failed.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// A key-encryption key's file can't be read or made.
    #[error("the key-encryption key {path}: {problem}", path = path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A key can't be made.
    #[error("a signing key can't be made: {0}")]
    Key(#[from] KeyError),
    /// A key-encryption key is not one.
    #[error(
        "the key-encryption key {id}: must be base64 of 32 bytes on one line, as `buildpass keys new-kek` makes it"
    )]
    NotAKey {
        /// Its configured id.
        id: String,
    },
    /// No key-encryption key, but sealed keys.
    #[error(
        "the database holds sealed signing keys, and the key-encryption key {path} is missing: restore it from the \
         backup. A new one would open none of them", path = path.display()
    )]
    Lost {
        /// Where it should be.
        path: PathBuf,
    },
    /// No reading succeeded for longer than `refresh_interval`.
    #[error("the keys could not be read again lately")]
    NoFreshView,
    /// The other servers don't know yet under which settings this one runs.
    #[error("the settings of this server are not written to the database yet")]
    NotPromised,
    /// None of the configured key-encryption keys opens any signing key.
    #[error(
        "none of the sealed signing keys can be opened with the configured key-encryption keys \
         (keys.key_encryption_keys): restore the one that sealed them"
    )]
    NothingOpens,
    /// The database could not do its work.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A task of ours was ended.
    #[error("making a key was cut off")]
    CutOff,
}

/// Why an act on the keys did not happen.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// Our doing.
    #[error(transparent)]
    Failed(#[from] KeyringError),
    /// The caller's doing. Nothing was written.
    #[error(transparent)]
    Refused(#[from] KeyRefusal),
}

/// Why an act on the keys was refused. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    /// A former issuer's key set that can't be adopted.
    #[error("the former issuer's key set: {0}")]
    Adoption(AdoptionError),
    /// The installation has keys already.
    #[error("there are keys already: `keys init` comes before the first start, and never after it")]
    Begun,
    /// A list of algorithms under which no key could sign now.
    #[error(
        "algorithms {}: none of their keys signs yet; {}", names(.asked),
        .from.map_or_else(
            || "list them beside the old ones first, and take the old ones out when the new ones sign".to_owned(),
            |from| format!("this list will be accepted from {from} on"),
        )
    )]
    NoneSigns {
        /// What was asked for.
        asked: Vec<Algorithm>,
        /// From when the first of their keys signs; `None` where none is announced.
        from: Option<Moment>,
    },
    /// The installation has no keys yet.
    #[error("there are no keys yet: the first `buildpass serve` makes them")]
    NotBegun,
    /// It was revoked before.
    #[error("{kid} was revoked at {at} already")]
    Revoked {
        /// Which key.
        kid: String,
        /// When.
        at: Moment,
    },
    /// No such key.
    #[error("there is no key {kid:?}; `buildpass keys list` names them")]
    Unknown {
        /// What was asked for.
        kid: String,
    },
    /// A reserve that strangers can't know yet.
    #[error(
        "{alg}: the reserve {kid} is not ripe: announced at {announced_at}, and every cache holds it {announce_for} \
         later, at {ripe_at}. Without --now the switch is set for then; a key in wrong hands is a matter for `keys revoke`"
    )]
    Unripe {
        /// Which algorithm.
        alg: Algorithm,
        /// The reserve.
        kid: String,
        /// When it was announced.
        announced_at: Moment,
        /// How long it must be announced.
        announce_for: Seconds,
        /// When that is over.
        ripe_at: Moment,
    },
    /// Keys that have no times yet.
    #[error("the keys wait for the first `buildpass serve`, which gives them their times")]
    Waiting,
}

fn names(algorithms: &[Algorithm]) -> String {
    algorithms.iter().map(|alg| alg.name()).collect::<Vec<_>>().join(", ")
}

/// A former issuer's key set that can't be adopted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdoptionError {
    /// A name that no sealed text could carry.
    #[error("key {index}: its kid must be 1 to 256 printable ASCII characters")]
    Kid {
        /// Its place, from 1.
        index: usize,
    },
    /// Not a key set.
    #[error("it is not a key set (RFC 7517 §5): {0}")]
    KeySet(String),
    /// Nothing that could be adopted.
    #[error("it holds no key that signatures of RS256 or ES256 are checked with")]
    None,
    /// Its name is one of ours.
    #[error("{kid} is a key of ours; a former issuer's key set is wanted here")]
    Ours {
        /// Which key.
        kid: String,
    },
    /// Too many keys.
    #[error("it holds more than {MOST_ADOPTED} keys")]
    TooMany,
}
