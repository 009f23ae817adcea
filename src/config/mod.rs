//! Reads the configuration from defaults, file, environment and flags; a later source takes precedence. The reader
//! never guesses: an unknown key or an impossible value is an error that names key, file and line.

mod clients;
mod declare;
mod describe;
mod entries;
mod error;
mod exchange;
mod issuance;
mod issuer;
mod keys;
mod limits;
mod providers;
mod reader;
mod reference;
mod repositories;
mod server;
mod show;
mod source;
mod store;
mod table;
mod telemetry;
mod tokens;

pub use self::error::ConfigError;
pub use self::exchange::{Exchange, ForwardAuth, Proxy};
pub use self::issuance::Issuance;
pub use self::issuer::Issuer;
pub use self::keys::{KeyEncryptionKey, Keys};
pub use self::limits::Limits;
pub use self::reference::{markdown_reference, reference};
pub use self::server::Server;
pub(crate) use self::source::environment;
pub use self::source::{Flags, Sources};
pub use self::store::StoreSection;
pub(crate) use self::store::store_place;
pub use self::tokens::Tokens;

use std::sync::Arc;

use self::reader::Reader;
use crate::keyring::{KeyringSettings, ScheduleSettings};
use crate::policy::RepositoryPolicies;
use crate::store::{DeclaredClient, StoreUrl};
use crate::telemetry::LogSettings;
use crate::verifier::Provider;

/// The checked configuration of one server.
#[derive(Debug, Clone)]
pub struct Config {
    /// The server's listeners, state folder and trusted proxies.
    pub server: Server,
    /// The issuer of the tokens that this server signs.
    pub issuer: Issuer,
    /// Section `[store]`: the checked URL of the database.
    pub store: StoreSection,
    /// Clients that the configuration declares.
    pub clients: Vec<DeclaredClient>,
    /// Settings of the signing keys and of the rotation schedule.
    pub keys: Keys,
    /// Lifetimes and extra claims of the tokens that this server signs.
    pub tokens: Tokens,
    /// Limits of requests per second and of tokens per build.
    pub limits: Limits,
    /// Rules that decide which build may have a token for which audience.
    pub issuance: Issuance,
    /// Providers of tokens that this server verifies.
    pub providers: Vec<Provider>,
    /// Settings of the exchange: `enabled`, and the audiences of the flows.
    pub exchange: Exchange,
    /// Settings of forward authentication: the reverse proxy that asks this server whether to let a request through.
    pub forward_auth: ForwardAuth,
    /// Access policies of a registry's repositories.
    pub repositories: Arc<RepositoryPolicies>,
    /// Format and filter of the server's logs.
    pub telemetry: LogSettings,
    shown: String,
}

impl Config {
    /// Reads the configuration from `sources` and checks every value.
    ///
    /// # Errors
    /// [`ConfigError`] lists every fault, one per line.
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
        let repositories = repositories::read(&mut reader, providers.as_deref()).map(Arc::new);
        let exchange = exchange::read(&mut reader);
        let forward_auth = exchange::read_forward_auth(&mut reader);
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
                forward_auth: forward_auth?,
                repositories: repositories?,
                telemetry: telemetry?,
                shown: show::show(&entries),
            })
        };
        match whole() {
            Some(config) if errors.is_empty() => Ok(config),
            _ => Err(ConfigError::new(errors)),
        }
    }

    /// Returns the settings that a keyring is opened with: rotation schedule, algorithms and size of new RSA keys.
    #[must_use]
    pub fn keyring(&self) -> KeyringSettings {
        KeyringSettings {
            schedule: self.schedule(),
            algorithms: self.keys.algorithms.clone(),
            rsa_bits: self.keys.rsa_bits,
        }
    }

    /// Returns the durations from which the states of a signing key are computed.
    #[must_use]
    pub fn schedule(&self) -> ScheduleSettings {
        self.keys.schedule(self.tokens.max_lifetime)
    }

    /// Returns the effective configuration as TOML, with the source of each value and without secrets.
    #[must_use]
    pub fn show(&self) -> String {
        self.shown.clone()
    }
}
