//! Why keys can't be had. Every text says what to do, and none holds a key.

use std::path::PathBuf;

use super::acts::KeyRefusal;
use super::clock_watch::ClockFault;
use crate::base::EntropyError;
use crate::jose::KeyError;
use crate::store::StoreError;

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
