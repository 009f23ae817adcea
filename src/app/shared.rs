//! The shared configuration, on which all servers of an installation must agree: algorithms, declared clients and
//! providers. Applying it writes it to the database.

use super::error::StartError;
use crate::base::{IssuerId, Moment};
use crate::config::Config;
use crate::exchange::{ApplyRulesError, Change, ChangeKind, ChangeSet, NamedProviderSpec, Prune, RulesEditor};
use crate::jose::Algorithm;
use crate::keyring::{ActError, Keyring};
use crate::store::{ClientChange, NameTaken, StoreError};
use crate::verifier::Provider;

/// Changes that the shared configuration makes to the database, or would make if it were applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedChanges {
    /// Signature algorithms before and after the change; `None` if they stay the same.
    pub algorithms: Option<(Vec<Algorithm>, Vec<Algorithm>)>,
    /// Clients that are created, updated or disabled.
    pub clients: Vec<ClientChange>,
    /// Providers that are created, updated or deleted.
    pub providers: Vec<Change>,
}

impl SharedChanges {
    /// Whether the database already agrees with the configuration.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.algorithms.is_none() && self.clients.is_empty() && self.providers.is_empty()
    }
}

/// Error returned when the shared configuration cannot be applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The configuration declares a client under the name of a client that was created by command.
    #[error("[clients]: {0}")]
    Client(NameTaken),
    /// The list of algorithms cannot be applied.
    #[error(transparent)]
    Keys(#[from] ActError),
    /// A provider conflicts with another provider or with the rules of the exchange.
    #[error("[oidc] and [exchange]: {0}")]
    Rules(ApplyRulesError),
    /// The database cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Applies the shared configuration; with `dry_run` only returns the changes. Idempotent.
///
/// # Errors
/// [`ApplyError`].
pub async fn apply(
    config: &Config,
    rules_editor: &RulesEditor,
    keyring: &Keyring,
    now: Moment,
    dry_run: bool,
) -> Result<SharedChanges, ApplyError> {
    let wanted = &config.keys.algorithms;
    let named_spec =
        |provider: &Provider| NamedProviderSpec { name: provider.name().to_owned(), spec: provider.spec().clone() };
    let declared = Some(config.providers.iter().map(named_spec).collect());
    let change_set = ChangeSet { declared, prune: Prune::All, ..ChangeSet::default() };
    // The providers are checked first, in a dry run: a conflict found later would leave algorithms and clients changed.
    rules_editor.apply(&change_set, ACTOR, true).await.map_err(rules_error)?;
    let before = keyring.apply_algorithms(wanted, dry_run).await?;
    let algorithms = (before != *wanted).then(|| (before, wanted.clone()));
    let clients = rules_editor.store.apply_clients(&IssuerId::main(), &config.clients, now, dry_run).await?;
    let clients = clients.map_err(ApplyError::Client)?;
    let mut providers = rules_editor.apply(&change_set, ACTOR, dry_run).await.map_err(rules_error)?.0;
    providers.retain(|change| change.change != ChangeKind::Unchanged);
    Ok(SharedChanges { algorithms, clients, providers })
}

/// Name under which events record who made these changes.
const ACTOR: &str = "configuration";

fn rules_error(error: ApplyRulesError) -> ApplyError {
    match error {
        ApplyRulesError::Store(error) => ApplyError::Store(error),
        other => ApplyError::Rules(other),
    }
}

/// Shared configuration that a start did not apply, because the server's clock may be wrong.
pub(super) struct Unapplied {
    pub(super) config: Config,
    pub(super) is_first_start: bool,
}

/// Applies the shared configuration at the start. On a database that several servers share, only the very first start
/// applies it: an old server that restarts during a rolling update must not undo what a new one applied.
pub(super) async fn apply_at_start(
    config: &Config,
    rules_editor: &RulesEditor,
    keyring: &Keyring,
    now: Moment,
    is_first_start: bool,
) -> Result<(), StartError> {
    let dry_run = rules_editor.store.is_shared() && !is_first_start;
    match apply(config, rules_editor, keyring, now, dry_run).await {
        Ok(changes) if changes.is_empty() => {}
        Ok(changes) if dry_run => {
            tracing::warn!(?changes, "the configuration differs from the database; run `buildpass config apply`");
        }
        Ok(changes) => tracing::info!(?changes, "applied the shared configuration"),
        Err(error) if dry_run => tracing::warn!(%error, "could not compare the configuration with the database"),
        Err(ApplyError::Keys(error)) => return Err(error.into()),
        Err(ApplyError::Store(error)) => return Err(error.into()),
        Err(error @ (ApplyError::Client(_) | ApplyError::Rules(_))) => {
            return Err(StartError::Config(error.to_string()));
        }
    }
    Ok(())
}
