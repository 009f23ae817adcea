//! The keyring reads the stored signing keys, opens the sealed private keys, and checks that the keys may be used now.
//! The keyring holds no lock while it computes, and signs nothing itself.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::clock_watch::{ClockFault, ClockWatch, Reading};
use super::error::{ActError, KeyringError};
use super::kek::KekSource;
use super::key_pool::KeyPool;
use super::plan::{is_covered, plan};
use super::seal::KeyEncryptionKeys;
use super::settings::KeyringParts;
use super::view::KeyView;
use crate::base::{Moment, Seconds, ServerId};
use crate::store::{KeyRows, TimeNote};

/// Pause after a failed reading of the keys, so that many waiting requests do not each wait for the same unavailable
/// database.
const RETRY_AFTER_MILLIS: u64 = 1_000;

/// Keyring of one issuer: the current signing keys and the acts that change these keys.
pub struct Keyring {
    pub(super) parts: KeyringParts,
    /// Random id of this process, under which its settings are stored for the other servers.
    server: String,
    pub(super) keks: KeyEncryptionKeys,
    pub(super) key_pool: KeyPool,
    pub(super) watch: ClockWatch,
    view: ArcSwap<KeyView>,
    /// Time at which the keys were last read, in milliseconds of the monotonic clock.
    read_at: AtomicU64,
    /// Time at which reading the keys last failed, in milliseconds of the monotonic clock; `u64::MAX` if the last
    /// reading succeeded.
    failed_at: AtomicU64,
    /// Time at which our settings were last stored for other servers, in milliseconds of the monotonic clock.
    settings_stored_at: AtomicU64,
    /// Whether the changes of keys that every start makes are still to be made, because the clock was wrong.
    waits_for_clock: AtomicBool,
    /// Lock that is held while the keys are read, so that only one task reads the keys at a time.
    reading: tokio::sync::Mutex<()>,
}

impl Keyring {
    /// Opens the keyring for a server, and makes the changes that are due before the server serves its first document:
    /// creates the first keys, schedules the keys that `keys init` created, and stores the server's settings. While the
    /// clock may be wrong, these changes wait.
    ///
    /// # Errors
    /// [`ActError`] if no sealed key can be opened, or if no key of a listed algorithm can sign.
    pub async fn open(parts: KeyringParts, source: &KekSource) -> Result<Self, ActError> {
        let keyring = Self::attach(parts, source).await?;
        match keyring.watch.check(keyring.parts.clock.now()) {
            Ok(()) => keyring.prepare_start().await?,
            Err(fault) => {
                tracing::error!(%fault, "the server's clock is doubted: no token is issued until it is corrected");
                keyring.waits_for_clock.store(true, Ordering::Relaxed);
            }
        }
        Ok(keyring)
    }

    /// Opens the keyring for a command, without changing any stored key. Creates the file of the key-encryption key if
    /// the database holds no key yet.
    ///
    /// # Errors
    /// [`KeyringError`], for example [`KeyringError::Lost`] and [`KeyringError::NothingOpens`].
    pub async fn attach(parts: KeyringParts, source: &KekSource) -> Result<Self, KeyringError> {
        let keys = parts.store.read_keys(&parts.issuer).await?;
        let has_sealed = keys.rows.iter().any(|row| row.sealed.is_some()) || !keys.adopted.is_empty();
        // The file of the key-encryption key is created before the first signing keys, so that an interrupted first
        // start can be repeated.
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
            waits_for_clock: AtomicBool::new(false),
            reading: tokio::sync::Mutex::new(()),
        };
        // New keys beside keys that cannot be opened would hide the loss from the operator.
        if has_sealed && !keyring.view().opens_any() {
            return Err(KeyringError::NothingOpens);
        }
        keyring.watch.set_latest(keys.latest_seen);
        keyring.refresh().await?;
        Ok(keyring)
    }

    /// Returns the keys as they were last read.
    #[must_use]
    pub fn view(&self) -> Arc<KeyView> {
        self.view.load_full()
    }

    /// Checks that this server may sign tokens at `now`. First reads the keys again if they were read longer ago than
    /// `refresh_interval`.
    ///
    /// # Errors
    /// [`KeyringError`] if the keys cannot be read, if the clock is not sound, or if this server's settings are not
    /// stored.
    pub async fn ready_to_sign(&self, now: Moment) -> Result<(), KeyringError> {
        self.ready_to_verify(now).await?;
        if !self.is_covered() {
            return Err(KeyringError::SettingsNotStored);
        }
        Ok(())
    }

    /// Checks that this server may verify our own tokens at `now`. First reads the keys again if they were read longer
    /// ago than `refresh_interval`.
    ///
    /// # Errors
    /// [`KeyringError`] if the keys cannot be read, or if the clock is not sound.
    pub async fn ready_to_verify(&self, now: Moment) -> Result<(), KeyringError> {
        if !self.is_fresh() {
            self.read_again(false).await?;
        }
        Ok(self.watch.check(now)?)
    }

    /// Returns whether the clock of this server, which shows `now`, is sound.
    #[must_use]
    pub fn clock_is_sound(&self, now: Moment) -> bool {
        self.clock_fault(now).is_none()
    }

    /// Returns the reason why the clock of this server, which shows `now`, is not sound; `None` if it is.
    #[must_use]
    pub fn clock_fault(&self, now: Moment) -> Option<ClockFault> {
        self.watch.check(now).err()
    }

    /// Returns whether the clock of this server, which shows `now`, may be wrong. Also true if the clock was wrong and
    /// this server has not stored its settings since.
    #[must_use]
    pub fn is_doubted(&self, now: Moment) -> bool {
        self.waits_for_clock.load(Ordering::Relaxed) || !self.clock_is_sound(now)
    }

    /// Returns the range in which the true time lies while this server's clock shows `now`. The served documents hold
    /// every key that is needed at any time in this range.
    #[must_use]
    pub fn possible_times(&self, now: Moment) -> RangeInclusive<Moment> {
        self.watch.possible_times(now)
    }

    /// Returns a time that has certainly passed, however far the clock may have jumped; `None` during the process's
    /// first hour.
    #[must_use]
    pub fn surely_passed(&self) -> Option<Moment> {
        let now = self.parts.clock.now();
        self.watch.check(now).ok()?;
        self.watch.surely_passed(now, self.parts.clock.monotonic())
    }

    /// Reads the keys again if their version has changed. Private keys that are decrypted already stay decrypted.
    ///
    /// # Errors
    /// [`KeyringError`] if the store cannot be read; the keys of the last reading stay in use then.
    pub async fn refresh(&self) -> Result<(), KeyringError> {
        self.read_again(true).await
    }

    /// Returns whether the key set that this server serves could lack a key that signs: the keys were last read too
    /// long ago, or other servers do not know how long caches keep this server's key set. The second reason does not
    /// count while the clock may be wrong, because the server then forbids caches to keep the key set.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        let is_covered = self.is_covered() || self.is_doubted(self.parts.clock.now());
        self.age() > self.parts.settings.schedule.documents_safe_for() || !is_covered
    }

    /// Returns whether the stored settings of this server are current, and other servers still respect the settings.
    /// Other servers no longer respect the settings of a server that has lost the database for longer than
    /// `announce_for`.
    fn is_covered(&self) -> bool {
        let schedule = &self.parts.settings.schedule;
        let respected_for = schedule.announce_for().get().saturating_mul(1_000);
        let since = self.millis().saturating_sub(self.settings_stored_at.load(Ordering::Relaxed));
        since <= respected_for && is_covered(&self.view.load().server_settings, &self.server, schedule)
    }

    /// Makes the change of keys that is due, if any, and stores the current time as the largest time that any server
    /// has seen. Must be called every `refresh_interval`.
    ///
    /// # Errors
    /// [`ActError`] if the store cannot be read or written.
    pub async fn step(&self) -> Result<(), ActError> {
        let (now, monotonic) = (self.parts.clock.now(), self.parts.clock.monotonic());
        let passed = self.watch.surely_passed(now, monotonic);
        self.refresh().await?;
        if let Err(fault) = self.watch.check(now) {
            if !self.waits_for_clock.swap(true, Ordering::Relaxed) {
                tracing::error!(%fault, "the server's clock is doubted: no token is issued until it is corrected");
            }
            return Ok(());
        }
        if self.waits_for_clock.load(Ordering::Relaxed) {
            self.prepare_start().await?;
            self.waits_for_clock.store(false, Ordering::Relaxed);
            tracing::info!("the server's clock is right again: tokens are issued");
        }
        let note = TimeNote { server: self.server.clone(), now, erasable_before: passed };
        self.parts.store.note_time(&self.parts.issuer, note).await.map_err(KeyringError::from)?;
        self.watch.raise_latest(now);
        self.advance(|keys, now| Ok((plan(keys, &self.parts.settings, &self.server, now, passed), ()))).await?;
        // This time is set last: the stored settings may have been deleted, and the change above has stored the
        // settings again.
        self.settings_stored_at.store(whole_millis(monotonic), Ordering::Relaxed);
        // The pool is filled ahead of the next switch, so that the change need not wait for key generation.
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
        // The age counts from the query, not from the answer, since the rows may have changed in between.
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

    /// Returns the time since the keys were last read, in whole seconds, rounded up.
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
