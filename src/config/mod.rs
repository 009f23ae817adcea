//! The configuration: defaults, then the file, then the environment, then flags. It never guesses: a key it does not
//! know, or a value that cannot work, is refused by name and line.

mod clients;
mod error;
mod exchange;
mod fields;
mod issuance;
mod issuer;
mod keys;
mod limits;
mod providers;
mod reader;
mod repositories;
mod server;
mod source;
mod store;
mod table;
mod telemetry;
mod tokens;
mod value;

pub use self::error::ConfigError;
pub use self::exchange::{Exchange, Proxy};
pub use self::issuance::Issuance;
pub use self::issuer::Issuer;
pub use self::keys::{KeyEncryptionKey, Keys};
pub use self::limits::Limits;
pub use self::server::Server;
pub use self::source::{Flags, Sources, environment};
pub use self::store::{StoreSection, store_place};
pub use self::table::reference;
pub use self::tokens::Tokens;

use std::sync::Arc;

use self::reader::Reader;
use crate::keyring::{KeyringSettings, ScheduleSettings};
use crate::policy::RepositoryPolicies;
use crate::store::{DeclaredClient, StoreUrl};
use crate::telemetry::LogSettings;
use crate::verifier::Provider;

/// Everything that an operator may set, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where and how the server listens.
    pub server: Server,
    /// Whom tokens come from, and what they say.
    pub issuer: Issuer,
    /// Where state is kept.
    pub store: StoreSection,
    /// Clients that are declared here.
    pub clients: Vec<DeclaredClient>,
    /// Signing keys.
    pub keys: Keys,
    /// How long tokens live.
    pub tokens: Tokens,
    /// Rates and counts.
    pub limits: Limits,
    /// Which build may have which audience.
    pub issuance: Issuance,
    /// Providers of tokens that we verify.
    pub providers: Vec<Provider>,
    /// The exchange.
    pub exchange: Exchange,
    /// Who may do what in a registry.
    pub repositories: Arc<RepositoryPolicies>,
    /// Logs.
    pub telemetry: LogSettings,
    shown: String,
}

impl Config {
    /// Reads and checks the configuration.
    ///
    /// # Errors
    /// [`ConfigError`] lists everything that is wrong, a line each.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let (entries, base, errors) = source::gather(sources)?;
        let mut reader = Reader::new(&entries, errors);
        let server = server::read(&mut reader, &base);
        let state_dir = server.as_ref().map(|server| server.state_dir.clone()).unwrap_or(base);
        let issuer = issuer::read(&mut reader, server.as_ref().map(|server| server.listen));
        let store = store::read(&mut reader, &state_dir);
        let clients = clients::read(&mut reader, &state_dir);
        let tokens = tokens::read(&mut reader);
        let longest = tokens.as_ref().map(|tokens| tokens.max_lifetime);
        let shares_database = store.as_ref().is_some_and(|store| matches!(store.place, StoreUrl::Postgres(_)));
        let keys = keys::read(&mut reader, &state_dir, longest, shares_database);
        let limits = limits::read(&mut reader);
        let issuance = issuance::read(&mut reader, longest);
        let providers = providers::read(&mut reader, &state_dir, issuer.as_ref().and_then(Issuer::known_url));
        let repositories = providers.as_ref().and_then(|known| repositories::read(&mut reader, known)).map(Arc::new);
        let exchange = exchange::read(&mut reader);
        let telemetry = telemetry::read(&mut reader);
        let errors = reader.finish();
        let whole = || {
            Some(Self {
                server: server?,
                issuer: issuer?,
                store: store?,
                clients: clients?,
                keys: keys?,
                tokens: tokens?,
                limits: limits?,
                issuance: issuance?,
                providers: providers?,
                exchange: exchange?,
                repositories: repositories?,
                telemetry: telemetry?,
                shown: table::show(&entries),
            })
        };
        match whole() {
            Some(config) if errors.is_empty() => Ok(config),
            _ => Err(ConfigError::new(errors)),
        }
    }

    /// What an operator decided about keys.
    #[must_use]
    pub fn keyring(&self) -> KeyringSettings {
        KeyringSettings {
            schedule: self.schedule(),
            algorithms: self.keys.algorithms.clone(),
            rsa_bits: self.keys.rsa_bits,
        }
    }

    /// The times that a key's life is computed from.
    #[must_use]
    pub fn schedule(&self) -> ScheduleSettings {
        self.keys.schedule(self.tokens.max_lifetime)
    }

    /// What is in force, as TOML, with where each value came from; secrets are left out.
    #[must_use]
    pub fn show(&self) -> String {
        self.shown.clone()
    }
}
