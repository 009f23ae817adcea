//! The keyring: reads the rows, opens what is sealed, and says whether it may be used now. Holds no lock while it
//! computes, and signs nothing itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::clock_watch::{ClockWatch, Reading};
use super::error::{ActError, KeyringError};
use super::kek::KekSource;
use super::key_pool::KeyPool;
use super::plan::{is_covered, plan};
use super::seal::KeyEncryptionKeys;
use super::settings::KeyringParts;
use super::view::KeyView;
use crate::base::{Moment, Seconds, ServerId};
use crate::store::{KeyRows, TimeNote};

/// After a reading that failed, the next one is tried no sooner: many that wait would each wait for the same database.
const RETRY_AFTER_MILLIS: u64 = 1_000;

/// The signing keys of one issuer.
pub struct Keyring {
    pub(super) parts: KeyringParts,
    /// This process among all servers.
    server: String,
    pub(super) keks: KeyEncryptionKeys,
    pub(super) key_pool: KeyPool,
    pub(super) watch: ClockWatch,
    view: ArcSwap<KeyView>,
    /// When the rows that the view shows stood in the database, in milliseconds of the monotonic clock.
    read_at: AtomicU64,
    /// When a reading failed last, likewise.
    failed_at: AtomicU64,
    /// When the others were last told under which settings we run, likewise; they count on it for a while.
    promised_at: AtomicU64,
    /// One reading at a time.
    reading: tokio::sync::Mutex<()>,
}

impl Keyring {
    /// Opens the keys to serve with them, and does what is due before the first document is served: first keys where
    /// there are none at all, times for keys that waited for this start, promises raised to what is configured.
    ///
    /// # Errors
    /// [`ActError`]: keys that don't open, a list of algorithms under which none can sign, a clock that can't be
    /// believed where there are no keys yet.
    pub async fn open(parts: KeyringParts, source: &KekSource) -> Result<Self, ActError> {
        let keyring = Self::attach(parts, source).await?;
        match keyring.watch.check(keyring.parts.clock.now()) {
            Ok(()) => keyring.begin().await?,
            Err(fault) if keyring.view().is_empty() => return Err(KeyringError::Clock(fault).into()),
            Err(fault) => tracing::error!(%fault, "nothing is issued until the clock can be believed"),
        }
        Ok(keyring)
    }

    /// Opens the keys as they stand, for a command: changes nothing. A key-encryption key is made where none is sealed.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub async fn attach(parts: KeyringParts, source: &KekSource) -> Result<Self, KeyringError> {
        let keys = parts.store.read_keys(&parts.issuer).await?;
        let has_sealed = keys.rows.iter().any(|row| row.sealed.is_some()) || !keys.adopted.is_empty();
        // The file first, then the rows: a first start that is cut off between the two can be repeated.
        let keks = source.read(has_sealed || !keys.rows.is_empty(), &*parts.entropy)?;
        let keyring = Self {
            server: ServerId::new(parts.clock.now(), &*parts.entropy)?.to_string(),
            key_pool: KeyPool::new(parts.settings.rsa_bits, Arc::clone(&parts.entropy)),
            watch: ClockWatch::new(parts.settings.schedule.clock_skew),
            view: ArcSwap::from_pointee(KeyView::open(&parts, &keks, &keys, None)),
            keks,
            parts,
            read_at: AtomicU64::new(0),
            failed_at: AtomicU64::new(u64::MAX),
            promised_at: AtomicU64::new(0),
            reading: tokio::sync::Mutex::new(()),
        };
        // Never a key made beside those that can't be opened: nobody would notice that they are lost.
        if has_sealed && !keyring.view().opens_any() {
            return Err(KeyringError::NothingOpens);
        }
        keyring.watch.remember(keys.latest_seen);
        keyring.refresh().await?;
        Ok(keyring)
    }

    /// The keys as they were read last.
    #[must_use]
    pub fn view(&self) -> Arc<KeyView> {
        self.view.load_full()
    }

    /// May we sign at `now`? A view that is older than `refresh_interval` is read again first.
    ///
    /// # Errors
    /// [`KeyringError`]: no fresh view can be had, or our clock is not to be believed.
    pub async fn ready_to_sign(&self, now: Moment) -> Result<(), KeyringError> {
        self.ready_to_verify(now).await?;
        if !self.is_covered() {
            return Err(KeyringError::NotPromised);
        }
        Ok(())
    }

    /// May we judge tokens of our own at `now`? A view that is older than `refresh_interval` is read again first.
    ///
    /// # Errors
    /// [`KeyringError`]: no fresh view can be had, or our clock is not to be believed.
    pub async fn ready_to_verify(&self, now: Moment) -> Result<(), KeyringError> {
        if !self.is_fresh() {
            self.read_again(false).await?;
        }
        Ok(self.watch.check(now)?)
    }

    /// Is our clock to be believed?
    #[must_use]
    pub fn clock_is_sound(&self, now: Moment) -> bool {
        self.watch.check(now).is_ok()
    }

    /// A moment that has passed for sure, however far a clock may have jumped; `None` while that can't be known.
    #[must_use]
    pub fn surely_passed(&self) -> Option<Moment> {
        let now = self.parts.clock.now();
        self.watch.check(now).ok()?;
        self.watch.surely_passed(now, self.parts.clock.monotonic())
    }

    /// Reads the rows again if they changed; keys that are open stay open.
    ///
    /// # Errors
    /// [`KeyringError`]; the view stays as it was.
    pub async fn refresh(&self) -> Result<(), KeyringError> {
        self.read_again(true).await
    }

    /// Could the documents lack a key that signs? They could when the last reading is too old, and when the others don't
    /// know how long caches may keep what we serve.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.age() > self.parts.settings.schedule.documents_safe_for() || !self.is_covered()
    }

    /// Do the others know our settings, and count on them still? After a long time without the database they don't.
    fn is_covered(&self) -> bool {
        let schedule = &self.parts.settings.schedule;
        let counted_on = schedule.announce_for().get().saturating_mul(1_000);
        let since = self.millis().saturating_sub(self.promised_at.load(Ordering::Relaxed));
        since <= counted_on && is_covered(&self.view.load().server_settings, &self.server, schedule)
    }

    /// What is due, if anything is, and what need not be waited for: the largest time seen is noted.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn step(&self) -> Result<(), ActError> {
        let (now, monotonic) = (self.parts.clock.now(), self.parts.clock.monotonic());
        let passed = self.watch.surely_passed(now, monotonic);
        self.refresh().await?;
        if self.watch.check(now).is_err() {
            return Ok(());
        }
        let note = TimeNote { server: self.server.clone(), now, erasable_before: passed };
        self.parts.store.note_time(&self.parts.issuer, note).await.map_err(KeyringError::from)?;
        self.watch.noted(now);
        self.advance(|keys, now| Ok((plan(keys, &self.parts.settings, &self.server, now, passed), ()))).await?;
        // Only now: what was noted may have been a promise that somebody had dropped, and that this has made anew.
        self.promised_at.store(whole_millis(monotonic), Ordering::Relaxed);
        // The change that comes next then waits for no key; long before it, nobody waits for threads that make some.
        let view = self.view();
        if view.switch_is_near(self.parts.clock.now()) {
            self.key_pool.make_up_to(view.algorithms()).await?;
        }
        Ok(())
    }

    /// What is due before the first document is served.
    async fn begin(&self) -> Result<(), ActError> {
        if self.view().waits_for_first_start() {
            self.schedule_takeover().await?;
        }
        let monotonic = self.parts.clock.monotonic();
        self.advance(|keys, now| Ok((plan(keys, &self.parts.settings, &self.server, now, None), ()))).await?;
        self.promised_at.store(whole_millis(monotonic), Ordering::Relaxed);
        Ok(())
    }

    async fn read_again(&self, even_if_fresh: bool) -> Result<(), KeyringError> {
        let _one_at_a_time = self.reading.lock().await;
        if !even_if_fresh && self.is_fresh() {
            return Ok(());
        }
        if !even_if_fresh && self.failed_lately() {
            return Err(KeyringError::NoFreshView);
        }
        let asked = self.reading();
        let read = self.read(asked).await;
        self.failed_at.store(if read.is_ok() { u64::MAX } else { self.millis() }, Ordering::Relaxed);
        read
    }

    async fn read(&self, asked: Reading) -> Result<(), KeyringError> {
        let pulse = self.parts.store.key_poll(&self.parts.issuer).await?;
        let answered = self.reading();
        if pulse.version != self.view.load().version {
            let keys = self.parts.store.read_keys(&self.parts.issuer).await?;
            self.show(&keys);
        }
        self.watch.observe(&pulse, asked, answered);
        // The rows stood so in the database no earlier than when it was asked.
        self.read_at.store(whole_millis(asked.monotonic), Ordering::Relaxed);
        Ok(())
    }

    fn show(&self, keys: &KeyRows) {
        let former = self.view.load_full();
        self.view.store(Arc::new(KeyView::open(&self.parts, &self.keks, keys, Some(&former))));
        self.watch.remember(keys.latest_seen);
    }

    fn failed_lately(&self) -> bool {
        let failed = self.failed_at.load(Ordering::Relaxed);
        failed != u64::MAX && self.millis().saturating_sub(failed) < RETRY_AFTER_MILLIS
    }

    fn is_fresh(&self) -> bool {
        self.age() <= self.parts.settings.schedule.refresh_interval
    }

    /// In whole seconds, rounded up: never younger than it is.
    fn age(&self) -> Seconds {
        Seconds::new(self.millis().saturating_sub(self.read_at.load(Ordering::Relaxed)).div_ceil(1_000))
    }

    fn reading(&self) -> Reading {
        Reading { wall_millis: self.parts.clock.millis(), monotonic: self.parts.clock.monotonic() }
    }

    fn millis(&self) -> u64 {
        whole_millis(self.parts.clock.monotonic())
    }
}

fn whole_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
