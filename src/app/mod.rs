//! The composition root: configuration, clock and entropy in, a running issuer out.

mod exchange;
mod former_issuer;
mod shared;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

pub use self::exchange::{exchange_settings, rules_cache, rules_editor};
pub use self::former_issuer::{FormerIssuer, FormerIssuerError, FormerKeys};
pub use self::shared::{ApplyError, SharedChanges, apply};
use crate::base::{Clock, Entropy, IssuerId, IssuerUrl, Moment, Seconds};
use crate::config::Config;
pub use crate::config::Proxy as ForwardProxy;
use crate::exchange::{Exchange, ExchangeParts, RulesEditor};
use crate::issuer::{Documents, Issuer, IssuerParts, IssuerSettings, Paths, Rates};
use crate::keyring::{ActError, KeyView, Keyring, KeyringParts, SigningPool};
use crate::policy::IssuancePolicy;
use crate::store::{InFlight, Store};
use crate::telemetry::Metrics;

/// How many signatures may wait before we say that we are busy.
const SIGNING_QUEUE: usize = 8192;

/// How often a former issuer's key set is read again.
const ADOPT_AGAIN: Duration = Duration::from_secs(60);

/// Everything that the doors use.
pub struct App {
    issuer: Arc<Issuer>,
    exchange: Option<Arc<Exchange>>,
    keeper: RulesEditor,
    proxy: ForwardProxy,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    trusted_proxies: Vec<ipnet::IpNet>,
    jwks_max_age: Seconds,
    refresh_interval: Seconds,
}

/// Why the start was refused. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration can't work.
    #[error("{0}")]
    Config(String),
    /// The keys can't be opened, or what is configured can't be brought in.
    #[error(transparent)]
    Keyring(#[from] ActError),
    /// The database can't be opened.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
}

/// Why nothing was adopted this time.
#[derive(Debug, thiserror::Error)]
enum AdoptError {
    #[error(transparent)]
    Former(#[from] FormerIssuerError),
    #[error(transparent)]
    Keyring(#[from] ActError),
}

impl App {
    /// Opens the store and the keys and puts the issuer together.
    ///
    /// `bound` is where the public listener listens: the issuer's URL where none is configured.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(
        config: &Config,
        bound: SocketAddr,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, StartError> {
        let pending = InFlight::default();
        let store = config.store.place.open(pending.clone()).await?;
        let issuer_id = IssuerId::main();
        let parts = KeyringParts {
            store: Arc::clone(&store),
            issuer: issuer_id.clone(),
            settings: config.keyring(),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
        };
        let nothing_brought_in = store.read_keys(&issuer_id).await?.algorithms.is_empty();
        let keyring = Arc::new(Keyring::open(parts, &config.keys.kek_source()).await?);
        let paths = paths(config, bound)?;
        let keeper = rules_editor(config, &paths, &store, &clock, &entropy);
        bring_in(config, &keeper, &keyring, clock.now(), nothing_brought_in).await?;
        keeper.check().await.map_err(|error| StartError::Config(error.to_string()))?;
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let pool =
            SigningPool::new(threads, SIGNING_QUEUE, pending).map_err(|error| StartError::Config(error.to_string()))?;
        let pool = Arc::new(pool);
        let metrics = Arc::new(Metrics::new());
        let books = exchange::rules_cache(config, &keeper, &keyring);
        let exchange = config.exchange.enabled.then(|| {
            let parts = ExchangeParts {
                store: Arc::clone(&store),
                rules_cache: Arc::clone(&books),
                keyring: Arc::clone(&keyring),
                pool: Arc::clone(&pool),
                metrics: Arc::clone(&metrics),
                clock: Arc::clone(&clock),
                entropy: Arc::clone(&entropy),
            };
            Arc::new(Exchange::new(issuer_id.clone(), keeper.settings.clone(), parts))
        });
        let parts = IssuerParts {
            store: Arc::clone(&store),
            judge: Arc::new(exchange::Judge(books)),
            keyring,
            pool,
            metrics,
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
        };
        let rates = Rates::new(config.limits.build_per_second, config.limits.client_per_second, &clock);
        let issuer = Arc::new(Issuer::new(issuer_id, paths, terms(config)?, rates, parts));
        Ok(Self {
            issuer,
            exchange,
            keeper,
            proxy: config.exchange.proxy,
            store,
            clock,
            entropy,
            trusted_proxies: config.server.trusted_proxies.clone(),
            jwks_max_age: config.keys.jwks_max_age,
            refresh_interval: config.keys.refresh_interval,
        })
    }

    /// The issuer of the section `[issuer]`.
    #[must_use]
    pub fn issuer(&self) -> &Arc<Issuer> {
        &self.issuer
    }

    /// The exchange, where it is open.
    #[must_use]
    pub fn exchange(&self) -> Option<&Arc<Exchange>> {
        self.exchange.as_ref()
    }

    /// Who keeps the rules of the exchange.
    #[must_use]
    pub fn rules_editor(&self) -> &RulesEditor {
        &self.keeper
    }

    /// Whose headers forward authentication reads.
    #[must_use]
    pub fn forward_proxy(&self) -> ForwardProxy {
        self.proxy
    }

    /// The store, for commands and for the end.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Where *now* comes from.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Where random bytes come from.
    #[must_use]
    pub fn entropy(&self) -> &dyn Entropy {
        &*self.entropy
    }

    /// How long caches may keep the documents.
    #[must_use]
    pub fn jwks_max_age(&self) -> Seconds {
        self.jwks_max_age
    }

    /// Do we believe what this address says about its callers?
    #[must_use]
    pub fn is_trusted_proxy(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(&address.to_canonical()))
    }

    /// Does what is due with the keys, twice in every `refresh_interval`, for ever.
    pub async fn keep_fresh(&self) {
        let mut ticks = tokio::time::interval(self.refresh_interval.duration() / 2);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.issuer.step().await {
                tracing::error!(%error, "the keys can't be brought up to date");
            }
            if let Some(exchange) = &self.exchange
                && let Err(error) = exchange.step().await
            {
                tracing::warn!(%error, "what the exchange keeps can't be brought up to date");
            }
        }
    }

    /// Reads a former issuer's key set again at every minute until our first signature, since each of its processes may
    /// make a key of its own.
    pub async fn keep_adopting(&self) {
        let keyring = self.issuer.keyring();
        let mut ticks = tokio::time::interval(ADOPT_AGAIN);
        loop {
            ticks.tick().await;
            let Some(source) = keyring.former_source(self.clock.now()) else { return };
            match self.adopt_from(&source).await {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "more keys of the former issuer are adopted"),
                Err(error) => tracing::warn!(%error, "the former issuer's key set can't be read again"),
            }
        }
    }

    async fn adopt_from(&self, source: &str) -> Result<usize, AdoptError> {
        let former = FormerIssuer::new(source)?.read().await?;
        Ok(self.issuer.keyring().adopt(&former.keys).await?)
    }

    /// Waits for what was accepted and closes the store.
    pub async fn close(&self) {
        self.store.close().await;
    }
}

/// The documents of an issuer as they are served, without a server.
///
/// # Errors
/// [`StartError::Config`]: without a configured URL there is nothing that a copy could say.
pub fn documents(config: &Config, view: &KeyView, now: Moment) -> Result<Documents, StartError> {
    let Some(url) = &config.issuer.url else {
        return Err(StartError::Config("issuer.url: is not set, and without it there is no issuer to copy".to_owned()));
    };
    let paths = Paths::new(url.clone(), config.server.public_url.clone(), config.issuer.serve_at_root);
    let paths = paths.map_err(|problem| StartError::Config(problem.to_owned()))?;
    Ok(Documents::render(&paths, &terms(config)?, view, now))
}

/// The file's server alone brings in what it says at each start. Where several share a database only the first start of
/// all does: an old one that starts again in the middle of a rolling update must change nothing.
async fn bring_in(
    config: &Config,
    keeper: &RulesEditor,
    keyring: &Keyring,
    now: Moment,
    nothing_brought_in: bool,
) -> Result<(), StartError> {
    let dry_run = keeper.store.is_shared() && !nothing_brought_in;
    if !keyring.clock_is_sound(now) {
        return Ok(());
    }
    match apply(config, keeper, keyring, now, dry_run).await {
        Ok(changes) if changes.is_empty() => {}
        Ok(changes) if dry_run => {
            tracing::warn!(
                ?changes,
                "the configuration differs from what is in force; `buildpass config apply` brings it in"
            );
        }
        Ok(changes) => tracing::info!(?changes, "the shared configuration is brought in"),
        Err(error) if dry_run => tracing::warn!(%error, "the configuration could not be brought in as it is"),
        Err(ApplyError::Keys(error)) => return Err(error.into()),
        Err(ApplyError::Store(error)) => return Err(error.into()),
        Err(error @ (ApplyError::Client(_) | ApplyError::Rules(_))) => {
            return Err(StartError::Config(error.to_string()));
        }
    }
    Ok(())
}

/// Where everything answers, on a server that listens there.
///
/// # Errors
/// [`StartError::Config`] where no issuer is configured and the address is not a loopback one.
pub fn paths(config: &Config, bound: SocketAddr) -> Result<Paths, StartError> {
    let wrong = |problem: &str| StartError::Config(problem.to_owned());
    let issuer = match &config.issuer.url {
        Some(url) => url.clone(),
        None => IssuerUrl::parse(&format!("http://{bound}")).map_err(|problem| {
            wrong(&format!("issuer.url: {problem}; it is required where the server does not listen on loopback"))
        })?,
    };
    Paths::new(issuer, config.server.public_url.clone(), config.issuer.serve_at_root).map_err(wrong)
}

fn terms(config: &Config) -> Result<IssuerSettings, StartError> {
    let tokens = &config.tokens;
    let policy = IssuancePolicy::new(config.issuance.default, config.issuance.rules.clone())
        .map_err(|error| StartError::Config(error.to_string()))?;
    Ok(IssuerSettings {
        default_lifetime: tokens.default_lifetime,
        max_lifetime: tokens.max_lifetime,
        max_build: tokens.max_build,
        tokens_per_build: Some(config.limits.tokens_per_build).filter(|limit| *limit > 0),
        subject: config.issuer.subject.clone(),
        presets: config.issuer.claims.clone(),
        extra: config.tokens.extra_claims.clone(),
        policy,
        exchange: config.exchange.enabled,
    })
}
