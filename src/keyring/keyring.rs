//! The keyring: reads the key rows, opens sealed keys, and checks that they may be used now. Holds no lock while it
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

/// Pause after a failed reading, so that many waiting callers do not each wait for the same unavailable database.
const RETRY_AFTER_MILLIS: u64 = 1_000;

/// Keyring of one issuer: its current keys and the acts that change them.
pub struct Keyring {
    pub(super) parts: KeyringParts,
    /// Id of this process among all servers.
    server: String,
    pub(super) keks: KeyEncryptionKeys,
    pub(super) key_pool: KeyPool,
    pub(super) watch: ClockWatch,
    view: ArcSwap<KeyView>,
    /// Time of the last successful reading, in milliseconds of the monotonic clock.
    read_at: AtomicU64,
    /// Time of the last failed reading, likewise; `u64::MAX` if the last one succeeded.
    failed_at: AtomicU64,
    /// Time at which our settings were last stored for the other servers, likewise.
    settings_stored_at: AtomicU64,
    /// Held during a reading, so that there is one at a time.
    reading: tokio::sync::Mutex<()>,
}

impl Keyring {
    /// Opens the keys of a server, and makes the changes that are due before it serves its first document: creates the
    /// first keys, sets the times of keys that waited for this start, and stores the server's settings.
    ///
    /// # Errors
    /// [`ActError`] if keys cannot be opened, if no key of the listed algorithms can sign, or if there are no keys yet
    /// and the clock is not sound.
    pub async fn open(parts: KeyringParts, source: &KekSource) -> Result<Self, ActError> {
        let keyring = Self::attach(parts, source).await?;
        match keyring.watch.check(keyring.parts.clock.now()) {
            Ok(()) => keyring.prepare_start().await?,
            Err(fault) if keyring.view().is_empty() => return Err(KeyringError::Clock(fault).into()),
            Err(fault) => tracing::error!(%fault, "the clock is not sound: no token is issued until it is corrected"),
        }
        Ok(keyring)
    }

    /// Opens the keys for a command, without changing any row. Creates the key-encryption key if nothing is sealed yet.
    ///
    /// # Errors
    /// [`KeyringError`], for example [`KeyringError::Lost`] and [`KeyringError::NothingOpens`].
    pub async fn attach(parts: KeyringParts, source: &KekSource) -> Result<Self, KeyringError> {
        let keys = parts.store.read_keys(&parts.issuer).await?;
        let has_sealed = keys.rows.iter().any(|row| row.sealed.is_some()) || !keys.adopted.is_empty();
        // The key file is created before the rows, so that an interrupted first start can be repeated.
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
            settings_stored_at: AtomicU64::new(0),
            reading: tokio::sync::Mutex::new(()),
        };
        // New keys beside ones that cannot be opened would hide the loss from the operator.
        if has_sealed && !keyring.view().opens_any() {
            return Err(KeyringError::NothingOpens);
        }
        keyring.watch.set_latest(keys.latest_seen);
        keyring.refresh().await?;
        Ok(keyring)
    }

    /// Returns the keys as of the last reading.
    #[must_use]
    pub fn view(&self) -> Arc<KeyView> {
        self.view.load_full()
    }

    /// Checks that we may sign at `now`. Reads the keys again first if the view is older than `refresh_interval`.
    ///
    /// # Errors
    /// [`KeyringError`] if the keys cannot be read, if our clock is not sound, or if our settings are not stored.
    pub async fn ready_to_sign(&self, now: Moment) -> Result<(), KeyringError> {
        self.ready_to_verify(now).await?;
        if !self.is_covered() {
            return Err(KeyringError::SettingsNotStored);
        }
        Ok(())
    }

    /// Checks that we may verify our own tokens at `now`. Reads the keys again first if the view is older than
    /// `refresh_interval`.
    ///
    /// # Errors
    /// [`KeyringError`] if the keys cannot be read, or if our clock is not sound.
    pub async fn ready_to_verify(&self, now: Moment) -> Result<(), KeyringError> {
        if !self.is_fresh() {
            self.read_again(false).await?;
        }
        Ok(self.watch.check(now)?)
    }

    /// Returns whether our clock is sound at `now`.
    #[must_use]
    pub fn clock_is_sound(&self, now: Moment) -> bool {
        self.watch.check(now).is_ok()
    }

    /// Returns a time that has certainly passed, however far the clock may have jumped; `None` during the first hour.
    #[must_use]
    pub fn surely_passed(&self) -> Option<Moment> {
        let now = self.parts.clock.now();
        self.watch.check(now).ok()?;
        self.watch.surely_passed(now, self.parts.clock.monotonic())
    }

    /// Reads the rows again if they changed. Keys that are open stay open.
    ///
    /// # Errors
    /// [`KeyringError`] if the store cannot be read; the view does not change.
    pub async fn refresh(&self) -> Result<(), KeyringError> {
        self.read_again(true).await
    }

    /// Returns whether our documents could lack a key that signs: the last reading is too old, or the other servers do
    /// not know how long caches may keep what we serve.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.age() > self.parts.settings.schedule.documents_safe_for() || !self.is_covered()
    }

    /// Whether the stored settings of this server are current and respected. After a long time without the database they
    /// are not.
    fn is_covered(&self) -> bool {
        let schedule = &self.parts.settings.schedule;
        let respected_for = schedule.announce_for().get().saturating_mul(1_000);
        let since = self.millis().saturating_sub(self.settings_stored_at.load(Ordering::Relaxed));
        since <= respected_for && is_covered(&self.view.load().server_settings, &self.server, schedule)
    }

    /// Makes the change of keys that is due, if any, and stores the current time as the largest one seen. Called every
    /// `refresh_interval`.
    ///
    /// # Errors
    /// [`ActError`] if the store cannot be read or written.
    pub async fn step(&self) -> Result<(), ActError> {
        let (now, monotonic) = (self.parts.clock.now(), self.parts.clock.monotonic());
        let passed = self.watch.surely_passed(now, monotonic);
        self.refresh().await?;
        if self.watch.check(now).is_err() {
            return Ok(());
        }
        let note = TimeNote { server: self.server.clone(), now, erasable_before: passed };
        self.parts.store.note_time(&self.parts.issuer, note).await.map_err(KeyringError::from)?;
        self.watch.raise_latest(now);
        self.advance(|keys, now| Ok((plan(keys, &self.parts.settings, &self.server, now, passed), ()))).await?;
        // Set last: the stored settings may have been pruned, and the change above has stored them again.
        self.settings_stored_at.store(whole_millis(monotonic), Ordering::Relaxed);
        // Fills the pool ahead of the next switch, so that the change need not wait for key generation.
        let view = self.view();
        if view.switch_is_near(self.parts.clock.now()) {
            self.key_pool.fill(view.algorithms()).await?;
        }
        Ok(())
    }

    async fn prepare_start(&self) -> Result<(), ActError> {
        if self.view().waits_for_first_start() {
            self.schedule_takeover().await?;
        }
        let monotonic = self.parts.clock.monotonic();
        self.advance(|keys, now| Ok((plan(keys, &self.parts.settings, &self.server, now, None), ()))).await?;
        self.settings_stored_at.store(whole_millis(monotonic), Ordering::Relaxed);
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
        let poll = self.parts.store.key_poll(&self.parts.issuer).await?;
        let answered = self.reading();
        if poll.version != self.view.load().version {
            let keys = self.parts.store.read_keys(&self.parts.issuer).await?;
            self.replace_view(&keys);
        }
        self.watch.observe(&poll, asked, answered);
        // The time of the question, not of the answer: the rows may have changed in between.
        self.read_at.store(whole_millis(asked.monotonic), Ordering::Relaxed);
        Ok(())
    }

    fn replace_view(&self, keys: &KeyRows) {
        let former = self.view.load_full();
        self.view.store(Arc::new(KeyView::open(&self.parts, &self.keks, keys, Some(&former))));
        self.watch.set_latest(keys.latest_seen);
    }

    fn failed_lately(&self) -> bool {
        let failed = self.failed_at.load(Ordering::Relaxed);
        failed != u64::MAX && self.millis().saturating_sub(failed) < RETRY_AFTER_MILLIS
    }

    fn is_fresh(&self) -> bool {
        self.age() <= self.parts.settings.schedule.refresh_interval
    }

    /// Age of the view in whole seconds, rounded up.
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
