//! What a command on the server's side works with: the configuration, and the store directly, beside a server that may
//! be running. A command that only reads makes no database.

use std::path::PathBuf;
use std::sync::Arc;

use super::failure::Failure;
use crate::app;
use crate::base::{Clock, Entropy, Moment, SystemClock, SystemEntropy};
use crate::config::{self, Config, Flags, Sources};
use crate::exchange::RulesEditor;
use crate::store::{InFlight, Store, StoreUrl};

/// Where the configuration is to be found.
#[derive(Debug)]
pub(super) struct Installation {
    file: Option<PathBuf>,
}

impl Installation {
    pub(super) const fn new(file: Option<PathBuf>) -> Self {
        Self { file }
    }

    /// Reads the configuration, with these flags over it.
    pub(super) fn config(&self, flags: Flags) -> Result<Config, Failure> {
        let sources = Sources {
            file: self.file.clone(),
            environment: config::environment(),
            working_dir: std::env::current_dir()?,
            flags,
        };
        Ok(Config::load(&sources)?)
    }

    /// Reads the configuration that `--config` or `$BUILDPASS_CONFIG` names, else the defaults: nothing that merely lies
    /// in the working directory.
    pub(super) fn named_config(&self, flags: Flags) -> Result<Config, Failure> {
        let environment = config::environment();
        if self.file.is_some() || environment.get("BUILDPASS_CONFIG").is_some_and(|name| !name.is_empty()) {
            return self.config(flags);
        }
        Err(Failure::usage("a configuration must be named: --config FILE or $BUILDPASS_CONFIG"))
    }

    /// Opens the store, which is made where there is none.
    pub(super) async fn store(&self) -> Result<Arc<dyn Store>, Failure> {
        open(&self.config(Flags::default())?).await
    }

    /// Opens the store if there is one.
    pub(super) async fn existing_store(&self) -> Result<Option<Arc<dyn Store>>, Failure> {
        existing(&self.config(Flags::default())?).await
    }

    /// Opens the store, which must be there already.
    pub(super) async fn required_store(&self) -> Result<Arc<dyn Store>, Failure> {
        let config = self.config(Flags::default())?;
        match &config.store.place {
            StoreUrl::Sqlite(path) if !path.exists() => {
                let path = path.display();
                Err(Failure::unreachable(format!("there is no database at {path}; `buildpass serve` makes it")))
            }
            _ => open(&config).await,
        }
    }
}

/// Opens the store if there is one.
pub(super) async fn existing(config: &Config) -> Result<Option<Arc<dyn Store>>, Failure> {
    if config.store.place.may_exist() { open(config).await.map(Some) } else { Ok(None) }
}

pub(super) async fn open(config: &Config) -> Result<Arc<dyn Store>, Failure> {
    Ok(config.store.place.open(InFlight::default()).await?)
}

/// Who keeps the rules of the exchange in this store. Where no issuer is configured it is the one that `serve` would be.
pub(super) fn rules_editor(config: &Config, store: &Arc<dyn Store>) -> Result<RulesEditor, Failure> {
    let paths = app::paths(config, config.server.listen)?;
    let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (Arc::new(SystemClock::new()), Arc::new(SystemEntropy));
    Ok(app::rules_editor(config, &paths, store, &clock, &entropy))
}

/// *Now*, read once by a command.
pub(super) fn now() -> Moment {
    SystemClock::new().now()
}
