//! Opens the configuration and the database for the commands of operators, even while a server is running. A command
//! that only reads must never create a database.

use std::path::PathBuf;
use std::sync::Arc;

use super::failure::Failure;
use crate::app;
use crate::base::{Clock, Entropy, Moment, SystemClock, SystemEntropy};
use crate::config::{self, Config, Flags, Sources};
use crate::exchange::RulesEditor;
use crate::store::{InFlight, Store, StoreUrl};

/// An installation of buildpass: the configuration, and the database and keys that the configuration names.
#[derive(Debug)]
pub(super) struct Installation {
    file: Option<PathBuf>,
}

impl Installation {
    pub(super) const fn new(file: Option<PathBuf>) -> Self {
        Self { file }
    }

    /// Reads the configuration; values in `flags` take precedence.
    pub(super) fn config(&self, flags: Flags) -> Result<Config, Failure> {
        let sources = Sources {
            file: self.file.clone(),
            environment: config::environment(),
            working_dir: std::env::current_dir()?,
            flags,
        };
        Ok(Config::load(&sources)?)
    }

    /// Reads the configuration that `--config` or `$BUILDPASS_CONFIG` names. Never reads `./buildpass.toml`, because a
    /// checkout must not choose which issuers to trust.
    pub(super) fn named_config(&self, flags: Flags) -> Result<Config, Failure> {
        let environment = config::environment();
        if self.file.is_some() || environment.get("BUILDPASS_CONFIG").is_some_and(|name| !name.is_empty()) {
            return self.config(flags);
        }
        Err(Failure::usage("no configuration: name a file with --config FILE or $BUILDPASS_CONFIG"))
    }

    /// Opens the store, and creates the database if there is none.
    pub(super) async fn store(&self) -> Result<Arc<dyn Store>, Failure> {
        open(&self.config(Flags::default())?).await
    }

    /// Opens the store if it exists.
    pub(super) async fn existing_store(&self) -> Result<Option<Arc<dyn Store>>, Failure> {
        existing(&self.config(Flags::default())?).await
    }

    /// Opens the store, which must exist.
    pub(super) async fn required_store(&self) -> Result<Arc<dyn Store>, Failure> {
        let config = self.config(Flags::default())?;
        match &config.store.place {
            StoreUrl::Sqlite(path) if !path.exists() => {
                let path = path.display();
                Err(Failure::unreachable(format!("there is no database at {path}; `buildpass serve` creates it")))
            }
            _ => open(&config).await,
        }
    }
}

/// Opens the store if it exists.
pub(super) async fn existing(config: &Config) -> Result<Option<Arc<dyn Store>>, Failure> {
    if config.store.place.may_exist() { open(config).await.map(Some) } else { Ok(None) }
}

pub(super) async fn open(config: &Config) -> Result<Arc<dyn Store>, Failure> {
    Ok(config.store.place.open(InFlight::default(), config.store.waits).await?)
}

/// Returns the editor of the exchange's rules in `store`. Without a configured issuer URL, the editor uses the issuer
/// URL that `serve` would use.
pub(super) fn rules_editor(config: &Config, store: &Arc<dyn Store>) -> Result<RulesEditor, Failure> {
    let paths = app::paths(config, config.server.listen)?;
    let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (Arc::new(SystemClock::new()), Arc::new(SystemEntropy));
    Ok(app::rules_editor(config, &paths, store, &clock, &entropy))
}

/// Returns the current time. A command reads the time once, so that all parts of its work agree.
pub(super) fn now() -> Moment {
    SystemClock::new().now()
}
