//! What all servers of an installation must agree on, brought from the configuration into the database: the list of
//! algorithms, and the declared clients.

use crate::base::{IssuerId, Moment};
use crate::config::Config;
use crate::jose::Algorithm;
use crate::keyring::{ActError, Keyring};
use crate::store::{ClientChange, NameTaken, Store, StoreError};

/// What bringing the configuration in changes, or would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedChanges {
    /// The algorithms in force before and after; `None` for no change.
    pub algorithms: Option<(Vec<Algorithm>, Vec<Algorithm>)>,
    /// Clients that are added, changed or disabled.
    pub clients: Vec<ClientChange>,
}

impl SharedChanges {
    /// Does the database say what the configuration says?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.algorithms.is_none() && self.clients.is_empty()
    }
}

/// Why the configuration can't be brought in.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// A declared client's name is taken.
    #[error("[clients]: {0}")]
    Client(NameTaken),
    /// The list of algorithms can't be put in force.
    #[error(transparent)]
    Keys(#[from] ActError),
    /// The database can't be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Brings what is shared in, or with `dry_run` only says what that would change. Done twice, it changes nothing more.
///
/// # Errors
/// [`ApplyError`].
pub async fn apply(
    config: &Config,
    store: &dyn Store,
    keyring: &Keyring,
    now: Moment,
    dry_run: bool,
) -> Result<SharedChanges, ApplyError> {
    let wanted = &config.keys.algorithms;
    let before = keyring.apply_algorithms(wanted, dry_run).await?;
    let algorithms = (before != *wanted).then(|| (before, wanted.clone()));
    let clients = store.apply_clients(&IssuerId::main(), &config.clients, now, dry_run).await?;
    Ok(SharedChanges { algorithms, clients: clients.map_err(ApplyError::Client)? })
}
