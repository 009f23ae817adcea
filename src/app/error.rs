//! The error of a failed start.

use crate::keyring::ActError;

/// Error returned when the server cannot start. The text names the remedy.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration cannot be applied: a key is missing, or a value conflicts with the database.
    #[error("{0}")]
    Config(String),
    /// The signing keys cannot be opened, or the configured algorithms cannot be applied.
    #[error(transparent)]
    Keyring(#[from] ActError),
    /// The database cannot be opened or read.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
}
