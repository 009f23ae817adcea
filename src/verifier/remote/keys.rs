//! Fetches and caches the key set of one provider. Never runs two fetches at once. During an outage, the cached key set
//! stays in use until it is too old. After each fetch, successful or not, there is a pause in which an unknown `kid`
//! causes no fetch.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::source::{FetchedKeys, Source};
use super::{FetchError, Resolver, read_keys};
use crate::base::{Clock, Moment, Seconds};
use crate::jose::{KeySet, VerificationKey};
use crate::verifier::{Fetched, KeySource, KeySourceError, Provider};

/// Pause after a successful fetch of the key set, during which an unknown kid causes no further fetch.
const COOLDOWN: Duration = Duration::from_secs(60);
/// Pause after a failed fetch of the key set, during which nothing causes a fetch.
const RETRY: Duration = Duration::from_secs(10);

/// Key source that fetches the key set of one provider on demand, and again before the key set is too old.
///
/// Requires a tokio runtime, on which the fetches run.
#[derive(Clone)]
pub struct RemoteKeys(Arc<Inner>);

struct Inner {
    name: Arc<str>,
    source: Source,
    refresh_after: Duration,
    hard_stop: Duration,
    clock: Arc<dyn Clock>,
    held: RwLock<Option<Held>>,
    flight: Mutex<Flight>,
}

#[derive(Clone)]
struct Held {
    keys: Arc<KeySet>,
    documents: Arc<Fetched>,
    /// Time on the monotonic clock at which the key set was cached, and the age that the key set had then.
    since: (Duration, Duration),
    generation: u64,
}

impl Held {
    fn age(&self, now: Duration) -> Duration {
        now.saturating_sub(self.since.0) + self.since.1
    }
}

/// The running fetch of the key set, if any, and the time of the last fetch, with the error if the last fetch failed.
#[derive(Default)]
struct Flight {
    current: Option<watch::Receiver<()>>,
    last: Option<(Duration, Option<FetchError>)>,
}

impl RemoteKeys {
    /// Creates the key source of `provider`. Fetches nothing yet.
    ///
    /// # Errors
    /// [`FetchError`] if the configured certificates or keys for the connection cannot be read.
    pub fn new(provider: &Provider, clock: Arc<dyn Clock>, resolver: Arc<dyn Resolver>) -> Result<Self, FetchError> {
        Ok(Self(Arc::new(Inner {
            name: Arc::clone(&provider.name),
            source: Source::of(provider, resolver)?,
            // Refreshed early, so that no verification waits and a failed fetch can be repeated in time.
            refresh_after: provider.refresh_interval.duration().mul_f64(0.8),
            hard_stop: provider.hard_stop.duration(),
            clock,
            held: RwLock::new(None),
            flight: Mutex::default(),
        })))
    }

    /// Returns the cached key set, unless it is too old to be used.
    fn usable(&self) -> Option<Held> {
        let now = self.0.clock.monotonic();
        self.held().filter(|held| held.age(now) < self.0.hard_stop)
    }

    fn held(&self) -> Option<Held> {
        self.0.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn flight(&self) -> MutexGuard<'_, Flight> {
        self.0.flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refresh_if_due(&self, held: &Held) {
        let now = self.0.clock.monotonic();
        if held.age(now) < self.0.refresh_after {
            return;
        }
        let mut flight = self.flight();
        let failed_lately = matches!(&flight.last, Some((_, Some(_)))) && flight.pause(now).is_some();
        if !failed_lately {
            drop(self.join(&mut flight));
        }
    }

    /// Returns a channel that closes when the running fetch ends. If none runs, starts a fetch, or returns the rest of
    /// the pause after the last fetch as an error. One lock covers the whole decision, so that no task starts a second
    /// fetch right after the first has ended.
    fn start_unless_cooling(&self) -> Result<watch::Receiver<()>, Duration> {
        let mut flight = self.flight();
        if !flight.is_running()
            && let Some(pause) = flight.pause(self.0.clock.monotonic())
        {
            return Err(pause);
        }
        Ok(self.join(&mut flight))
    }

    /// Returns a channel that closes when the current fetch ends. If none runs, starts a fetch in a separate task,
    /// which goes on if the calling task is cancelled.
    fn join(&self, flight: &mut Flight) -> watch::Receiver<()> {
        if let Some(current) = flight.current.as_ref().filter(|_| flight.is_running()) {
            return current.clone();
        }
        let (running, ended) = watch::channel(());
        flight.current = Some(ended.clone());
        let keys = self.clone();
        tokio::spawn(async move {
            let fetched = keys.0.source.fetch().await;
            keys.store(fetched);
            drop(running);
        });
        ended
    }

    /// Caches the fetched key set, or records the failure to fetch the key set.
    fn store(&self, fetched: Result<FetchedKeys, FetchError>) {
        let now = self.0.clock.monotonic();
        let failure = match fetched {
            Ok(FetchedKeys { keys, discovery, document, .. }) => {
                for key in keys.unusable() {
                    tracing::debug!(provider = %self.0.name, place = key.index, reason = %key.reason, "ignored an unusable key of the provider");
                }
                let configuration = discovery.and_then(|discovery| serde_json::to_vec(&discovery.members).ok());
                let documents = Fetched { jwks: document, configuration, at: self.0.clock.now() };
                self.hold(keys, documents, (now, Duration::ZERO));
                None
            }
            Err(error) => {
                tracing::warn!(provider = %self.0.name, %error, "could not fetch the provider's keys");
                Some(error)
            }
        };
        self.flight().last = Some((now, failure));
    }
}

impl RemoteKeys {
    /// Caches a key set. Its number, `generation`, changes only if the keys differ from those of the cached key set.
    fn hold(&self, keys: KeySet, documents: Fetched, since: (Duration, Duration)) {
        let mut held = self.0.held.write().unwrap_or_else(PoisonError::into_inner);
        let generation = match held.take() {
            Some(before) if *before.keys == keys => before.generation,
            Some(before) => before.generation + 1,
            None => 1,
        };
        *held = Some(Held { keys: Arc::new(keys), documents: Arc::new(documents), since, generation });
    }
}

impl Flight {
    /// Whether a fetch is running. A fetch runs for as long as its task holds the channel's sender.
    fn is_running(&self) -> bool {
        self.current.as_ref().is_some_and(|current| current.has_changed().is_ok())
    }

    /// Returns the time that is left of the pause after the last fetch.
    fn pause(&self, now: Duration) -> Option<Duration> {
        let (at, failure) = self.last.as_ref()?;
        let pause = if failure.is_some() { RETRY } else { COOLDOWN };
        pause.checked_sub(now.saturating_sub(*at)).filter(|left| !left.is_zero())
    }
}

async fn wait(mut ended: watch::Receiver<()>) {
    // The channel is closed when the task ends; nothing is ever sent.
    while ended.changed().await.is_ok() {}
}

#[async_trait]
impl KeySource for RemoteKeys {
    fn generation(&self) -> Option<u64> {
        let held = self.usable()?;
        self.refresh_if_due(&held);
        Some(held.generation)
    }

    fn begin_with(&self, document: &[u8], fetched_at: Moment) {
        let (now, monotonic) = (self.0.clock.now(), self.0.clock.monotonic());
        let age = now.since(fetched_at).duration();
        // A key set from the future, or one that is too old, is ignored, so that the key set is fetched again.
        if self.held().is_some() || fetched_at > now || age >= self.0.hard_stop {
            return;
        }
        if let Ok(keys) = read_keys("the stored key set", document) {
            let documents = Fetched { jwks: document.to_vec(), configuration: None, at: fetched_at };
            self.hold(keys, documents, (monotonic, age));
        }
    }

    fn fetched(&self) -> Option<Fetched> {
        self.held().map(|held| Fetched::clone(&held.documents))
    }

    async fn find(&self, kid: &str) -> Result<(Arc<VerificationKey>, u64), KeySourceError> {
        if let Some(held) = self.usable() {
            self.refresh_if_due(&held);
            if let Some(key) = held.keys.find(kid) {
                return Ok((key, held.generation));
            }
        }
        if let Ok(ended) = self.start_unless_cooling() {
            wait(ended).await;
        }
        let held = self.usable();
        if let Some(held) = &held
            && let Some(key) = held.keys.find(kid)
        {
            return Ok((key, held.generation));
        }
        let (failure, pause) = {
            let flight = self.flight();
            let failure = flight.last.as_ref().and_then(|(_, failure)| failure.clone());
            (failure, flight.pause(self.0.clock.monotonic()).unwrap_or_default())
        };
        match (held, failure) {
            (Some(_), None) => Err(KeySourceError::Unknown),
            // After a failed fetch the cached key set may be outdated, so it does not prove that the key is unknown.
            (_, failure) => Err(KeySourceError::Unavailable {
                reason: failure.map_or_else(
                    || "the key set is too old and could not be fetched again".to_owned(),
                    |failure| failure.to_string(),
                ),
                retry_after: Seconds::new(pause.as_secs().max(1)),
            }),
        }
    }
}
