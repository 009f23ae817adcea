//! The composition root: builds the issuer and the exchange from configuration, clock and entropy.

mod error;
mod exchange;
mod former_issuer;
mod issuer;
mod shared;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use self::error::StartError;
pub(crate) use self::exchange::{exchange_settings, rules_cache, rules_editor};
pub use self::former_issuer::{FormerIssuer, FormerIssuerError, FormerKeys};
pub(crate) use self::issuer::{documents, paths};
pub use self::shared::{ApplyError, SharedChanges, apply};
use self::shared::{Unapplied, apply_at_start};
use crate::base::{Clock, Entropy, IssuerId, Seconds};
use crate::config::Config;
pub(crate) use crate::config::Proxy as ForwardProxy;
use crate::exchange::{Exchange, ExchangeParts, RulesEditor};
use crate::issuer::{Issuer, IssuerParts, PULSE_INTERVAL, Rates};
use crate::keyring::{ActError, Keyring, KeyringParts, QueueLimits, SigningPool};
use crate::store::{InFlight, Store};
use crate::telemetry::Metrics;

/// Maximum number of signatures that wait to be computed. One build may have an eighth of them. Further requests are
/// answered 503.
const SIGNING_QUEUE: usize = 8192;

/// Interval at which a former issuer's key set is fetched again.
const ADOPT_INTERVAL: Duration = Duration::from_secs(60);

/// The application behind the HTTP API: issuer, exchange, store and settings.
pub struct App {
    issuer: Arc<Issuer>,
    exchange: Option<Arc<Exchange>>,
    rules_editor: RulesEditor,
    forward_proxy: ForwardProxy,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    trusted_proxies: Vec<ipnet::IpNet>,
    body_memory: usize,
    jwks_max_age: Seconds,
    refresh_interval: Seconds,
    /// Shared configuration that the start did not apply, because the server's clock may be wrong. Applied as soon as
    /// the clock is right; `None` if nothing is left to apply.
    unapplied: Mutex<Option<Unapplied>>,
}

/// Error returned when a former issuer's key set cannot be fetched, or when its keys cannot be adopted.
#[derive(Debug, thiserror::Error)]
enum AdoptError {
    #[error(transparent)]
    Former(#[from] FormerIssuerError),
    #[error(transparent)]
    Keyring(#[from] ActError),
}

impl App {
    /// Opens the store and the signing keys, applies the configuration that all servers share, and builds the issuer
    /// and the exchange.
    ///
    /// `bound` is the address of the public listener. The issuer's URL derives from it if none is configured.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(
        config: &Config,
        bound: SocketAddr,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, StartError> {
        let in_flight = InFlight::default();
        let store = config.store.place.open(in_flight.clone(), config.store.waits).await?;
        store.bound_request_token_cache(config.limits.request_token_cache);
        let issuer_id = IssuerId::main();
        let parts = KeyringParts {
            store: Arc::clone(&store),
            issuer: issuer_id.clone(),
            settings: config.keyring(),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
        };
        let is_first_start = store.read_keys(&issuer_id).await?.algorithms.is_empty();
        let keyring = Arc::new(Keyring::open(parts, &config.keys.kek_source()).await?);
        let paths = paths(config, bound)?;
        let rules_editor = rules_editor(config, &paths, &store, &clock, &entropy);
        let unapplied = if keyring.clock_is_sound(clock.now()) {
            apply_at_start(config, &rules_editor, &keyring, clock.now(), is_first_start).await?;
            None
        } else {
            Some(Unapplied { config: config.clone(), is_first_start })
        };
        rules_editor.check().await.map_err(|error| StartError::Config(error.to_string()))?;
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let limits = QueueLimits { tasks: SIGNING_QUEUE, wait: config.server.request_timeout.duration() };
        let pool = SigningPool::new(threads, limits, in_flight, Arc::clone(&clock))
            .map_err(|error| StartError::Config(error.to_string()))?;
        let pool = Arc::new(pool);
        let metrics = Arc::new(Metrics::new());
        let rules_cache = exchange::rules_cache(config, &rules_editor, &keyring);
        let exchange = config.exchange.enabled.then(|| {
            let parts = ExchangeParts {
                store: Arc::clone(&store),
                rules_cache: Arc::clone(&rules_cache),
                keyring: Arc::clone(&keyring),
                pool: Arc::clone(&pool),
                metrics: Arc::clone(&metrics),
                clock: Arc::clone(&clock),
                entropy: Arc::clone(&entropy),
            };
            Arc::new(Exchange::new(issuer_id.clone(), rules_editor.settings.clone(), parts))
        });
        let parts = IssuerParts {
            store: Arc::clone(&store),
            token_verifier: Arc::new(exchange::ProviderTokens(rules_cache)),
            keyring,
            pool,
            metrics,
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
        };
        let rates = Rates::new(config.limits.build_per_second, config.limits.client_per_second, &clock);
        let issuer = Arc::new(Issuer::new(issuer_id, paths, issuer::issuer_settings(config)?, rates, parts));
        Ok(Self {
            issuer,
            exchange,
            rules_editor,
            forward_proxy: config.forward_auth.proxy,
            store,
            clock,
            entropy,
            trusted_proxies: config.server.trusted_proxies.clone(),
            body_memory: config.server.body_memory,
            jwks_max_age: config.keys.jwks_max_age,
            refresh_interval: config.keys.refresh_interval,
            unapplied: Mutex::new(unapplied),
        })
    }

    /// Returns the issuer.
    #[must_use]
    pub fn issuer(&self) -> &Arc<Issuer> {
        &self.issuer
    }

    /// Returns the exchange. `None` while it is disabled.
    #[must_use]
    pub fn exchange(&self) -> Option<&Arc<Exchange>> {
        self.exchange.as_ref()
    }

    /// Returns the value that reads and changes the exchange's rules.
    #[must_use]
    pub fn rules_editor(&self) -> &RulesEditor {
        &self.rules_editor
    }

    /// Returns the kind of proxy whose headers forward auth reads.
    #[must_use]
    pub(crate) fn forward_proxy(&self) -> ForwardProxy {
        self.forward_proxy
    }

    /// Returns the store that the issuer and the exchange share.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Returns the clock of the application.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Returns the source of random bytes.
    #[must_use]
    pub fn entropy(&self) -> &dyn Entropy {
        &*self.entropy
    }

    /// Returns the time for which caches may keep the discovery document and the key set.
    #[must_use]
    pub(crate) fn jwks_max_age(&self) -> Seconds {
        self.jwks_max_age
    }

    /// Returns the memory that all request bodies together may hold, in bytes.
    #[must_use]
    pub(crate) fn body_memory(&self) -> usize {
        self.body_memory
    }

    /// Whether `address` is a trusted proxy, whose `X-Forwarded-For` and forward-auth headers are believed.
    #[must_use]
    pub fn is_trusted_proxy(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(&address.to_canonical()))
    }

    /// Twice in every `refresh_interval`, does the work of the issuer and the exchange that is due, such as rotating
    /// keys. Never returns.
    pub(crate) async fn keep_fresh(&self) {
        let mut ticks = tokio::time::interval(self.refresh_interval.duration() / 2);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match self.issuer.step().await {
                Ok(()) => self.finish_start().await,
                Err(error) => tracing::error!(%error, "could not refresh the signing keys"),
            }
            if let Some(exchange) = &self.exchange
                && let Err(error) = exchange.step().await
            {
                tracing::warn!(%error, "could not refresh the rules of the exchange");
            }
        }
    }

    /// Applies the shared configuration that the start left out, once the clock is right. Does nothing if the start
    /// left nothing out.
    async fn finish_start(&self) {
        let keyring = self.issuer.keyring();
        let now = self.clock.now();
        if keyring.is_doubted(now) {
            return;
        }
        let Some(unapplied) = self.unapplied.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let Unapplied { config, is_first_start } = &unapplied;
        if let Err(error) = apply_at_start(config, &self.rules_editor, keyring, now, *is_first_start).await {
            tracing::error!(%error, "could not apply the shared configuration");
            *self.unapplied.lock().unwrap_or_else(PoisonError::into_inner) = Some(unapplied);
        }
    }

    /// Checks the database every second, so that `/health/ready` can answer without waiting for the database. Never
    /// returns.
    pub(crate) async fn keep_pulse(&self) {
        let mut ticks = tokio::time::interval(PULSE_INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.issuer.pulse().await;
        }
    }

    /// Fetches a former issuer's key set every minute until our first signature. The processes of the former issuer may
    /// sign with different keys, and a single answer may lack some of these keys.
    pub(crate) async fn keep_adopting(&self) {
        let keyring = self.issuer.keyring();
        let mut ticks = tokio::time::interval(ADOPT_INTERVAL);
        loop {
            ticks.tick().await;
            let Some(source) = keyring.former_source(self.clock.now()) else { return };
            match self.adopt_from(&source).await {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "adopted more keys of the former issuer"),
                Err(error) => tracing::warn!(%error, "could not fetch the key set of the former issuer"),
            }
        }
    }

    async fn adopt_from(&self, source: &str) -> Result<usize, AdoptError> {
        let former = FormerIssuer::new(source)?.read().await?;
        Ok(self.issuer.keyring().adopt(&former.keys).await?)
    }

    /// Waits for the writes in progress and closes the store.
    pub async fn close(&self) {
        self.store.close().await;
    }
}

#[cfg(test)]
impl App {
    /// Starts on a new SQLite file in `folder` with the given environment variables. Signs with ES256 alone, because
    /// generating an RSA key takes seconds.
    pub(crate) async fn for_tests(folder: &std::path::Path, environment: &[(&str, &str)]) -> Self {
        use crate::base::{SystemClock, SystemEntropy};
        use crate::config::{Flags, Sources};

        let kek = "[{ id = \"test\", value = \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\" }]";
        let keys = [("BUILDPASS_KEYS__ALGORITHMS", "[\"ES256\"]"), ("BUILDPASS_KEYS__KEY_ENCRYPTION_KEYS", kek)];
        let environment = keys.iter().chain(environment);
        let sources = Sources {
            file: None,
            environment: environment.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            working_dir: folder.to_owned(),
            flags: Flags::default(),
        };
        let config = Config::load(&sources).unwrap();
        let address = "127.0.0.1:8080".parse().unwrap();
        Self::start(&config, address, Arc::new(SystemClock::new()), Arc::new(SystemEntropy)).await.unwrap()
    }
}
