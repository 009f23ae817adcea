//! What all servers of an installation must agree on, brought from the configuration into the database: the list of
//! algorithms, the declared clients, and the providers.

use crate::base::{IssuerId, Moment};
use crate::config::Config;
use crate::exchange::{ApplyRulesError, Change, ChangeKind, ChangeSet, NamedProviderSpec, Prune, RulesEditor};
use crate::jose::Algorithm;
use crate::keyring::{ActError, Keyring};
use crate::store::{ClientChange, NameTaken, StoreError};
use crate::verifier::Provider;

/// What bringing the configuration in changes, or would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedChanges {
    /// The algorithms in force before and after; `None` for no change.
    pub algorithms: Option<(Vec<Algorithm>, Vec<Algorithm>)>,
    /// Clients that are added, changed or disabled.
    pub clients: Vec<ClientChange>,
    /// Providers that are added, changed or removed.
    pub providers: Vec<Change>,
}

impl SharedChanges {
    /// Does the database say what the configuration says?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.algorithms.is_none() && self.clients.is_empty() && self.providers.is_empty()
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
    /// A provider can't stand beside the others, or beside the rules of the exchange.
    #[error("[oidc] and [exchange]: {0}")]
    Rules(ApplyRulesError),
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
    keeper: &RulesEditor,
    keyring: &Keyring,
    now: Moment,
    dry_run: bool,
) -> Result<SharedChanges, ApplyError> {
    let wanted = &config.keys.algorithms;
    let written =
        |provider: &Provider| NamedProviderSpec { name: provider.name().to_owned(), spec: provider.spec().clone() };
    let declared = Some(config.providers.iter().map(written).collect());
    let bring = ChangeSet { declared, prune: Prune::All, ..ChangeSet::default() };
    // First of all whether they can stand: what follows is not undone.
    keeper.apply(&bring, BY, true).await.map_err(rules)?;
    let before = keyring.apply_algorithms(wanted, dry_run).await?;
    let algorithms = (before != *wanted).then(|| (before, wanted.clone()));
    let clients = keeper.store.apply_clients(&IssuerId::main(), &config.clients, now, dry_run).await?;
    let clients = clients.map_err(ApplyError::Client)?;
    let mut providers = keeper.apply(&bring, BY, dry_run).await.map_err(rules)?.0;
    providers.retain(|change| change.change != ChangeKind::Unchanged);
    Ok(SharedChanges { algorithms, clients, providers })
}

/// Who brings them in, as events tell it.
const BY: &str = "configuration";

fn rules(error: ApplyRulesError) -> ApplyError {
    match error {
        ApplyRulesError::Store(error) => ApplyError::Store(error),
        other => ApplyError::Rules(other),
    }
}
