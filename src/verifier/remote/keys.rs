//! A provider's key set as it was fetched last. One fetch at a time however many wait; an outage keeps the old set in
//! use until it is too old; an unknown name makes at most one fetch per cooldown, whether it succeeds or not.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::source::{Brought, Source};
use super::{FetchError, Resolver, read_keys};
use crate::base::{Clock, Moment, Seconds};
use crate::jose::{KeySet, VerificationKey};
use crate::verifier::{Fetched, KeySource, KeySourceError, Provider};

/// After a fetch, none for the sake of an unknown name for so long.
const COOLDOWN: Duration = Duration::from_secs(60);
/// After a fetch that failed, none at all for so long.
const RETRY: Duration = Duration::from_secs(10);

/// The keys of one provider, fetched when they are needed and before they grow old.
///
/// Needs a tokio runtime to fetch in.
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
    /// When it came to be held, and how old it was then.
    since: (Duration, Duration),
    generation: u64,
}

impl Held {
    fn age(&self, now: Duration) -> Duration {
        now.saturating_sub(self.since.0) + self.since.1
    }
}

/// The fetch that is on, and how the last one ended.
#[derive(Default)]
struct Flight {
    on: Option<watch::Receiver<()>>,
    last: Option<(Duration, Option<FetchError>)>,
}

impl RemoteKeys {
    /// The keys of this provider. Fetches nothing yet.
    ///
    /// # Errors
    /// [`FetchError`] when certificates or keys for the connection can't be read.
    pub fn new(provider: &Provider, clock: Arc<dyn Clock>, resolver: Arc<dyn Resolver>) -> Result<Self, FetchError> {
        Ok(Self(Arc::new(Inner {
            name: Arc::clone(&provider.name),
            source: Source::of(provider, resolver)?,
            // Begun early, so that nobody waits for it and a failure can be repeated in time.
            refresh_after: provider.refresh_interval.duration().mul_f64(0.8),
            hard_stop: provider.hard_stop.duration(),
            clock,
            held: RwLock::new(None),
            flight: Mutex::default(),
        })))
    }

    /// The set, if it is not too old to be used.
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

    /// The set's age asks for a new one, and no failure is too fresh.
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

    /// Joins the fetch that is on, or begins one, unless the last one was too lately: then tells how long to wait. One
    /// look at both, so that of many callers at once none begins a second fetch when the first has just ended.
    fn start_unless_cooling(&self) -> Result<watch::Receiver<()>, Duration> {
        let mut flight = self.flight();
        if !flight.is_on()
            && let Some(pause) = flight.pause(self.0.clock.monotonic())
        {
            return Err(pause);
        }
        Ok(self.join(&mut flight))
    }

    /// A fetch runs in a task of its own, which no caller that goes away cancels.
    fn join(&self, flight: &mut Flight) -> watch::Receiver<()> {
        if let Some(on) = flight.on.as_ref().filter(|_| flight.is_on()) {
            return on.clone();
        }
        let (ends, ended) = watch::channel(());
        flight.on = Some(ended.clone());
        let keys = self.clone();
        tokio::spawn(async move {
            let brought = keys.0.source.bring().await;
            keys.land(brought);
            drop(ends);
        });
        ended
    }

    /// Keeps what was fetched, or notes why nothing was.
    fn land(&self, fetched: Result<Brought, FetchError>) {
        let now = self.0.clock.monotonic();
        let failure = match fetched {
            Ok(Brought { keys, discovery, document, .. }) => {
                for key in keys.unusable() {
                    tracing::debug!(provider = %self.0.name, place = key.index, reason = %key.reason, "key passed over");
                }
                let configuration = discovery.and_then(|discovery| serde_json::to_vec(&discovery.members).ok());
                let documents = Fetched { jwks: document, configuration, at: self.0.clock.now() };
                self.hold(keys, documents, (now, Duration::ZERO));
                None
            }
            Err(error) => {
                tracing::warn!(provider = %self.0.name, %error, "the provider's keys could not be fetched");
                Some(error)
            }
        };
        self.flight().last = Some((now, failure));
    }
}

impl RemoteKeys {
    /// Keeps a set; the same keys as before are the same generation.
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
    /// A fetch is on as long as its task holds the other end.
    fn is_on(&self) -> bool {
        self.on.as_ref().is_some_and(|on| on.has_changed().is_ok())
    }

    /// How long, after the last fetch, none is to be begun for the sake of an unknown name.
    fn pause(&self, now: Duration) -> Option<Duration> {
        let (at, failure) = self.last.as_ref()?;
        let pause = if failure.is_some() { RETRY } else { COOLDOWN };
        pause.checked_sub(now.saturating_sub(*at)).filter(|left| !left.is_zero())
    }
}

async fn wait(mut ended: watch::Receiver<()>) {
    // An error is the sign: the task let its end go.
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
        // From the future, or too old: what is fetched will tell.
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
            // A set that could not be asked for anew can't tell that there is no such key.
            (_, failure) => Err(KeySourceError::Unavailable {
                reason: failure.map_or_else(|| "the key set is too old".to_owned(), |failure| failure.to_string()),
                retry_after: Seconds::new(pause.as_secs().max(1)),
            }),
        }
    }
}
