//! The keyring: reads the rows, opens what is sealed, makes the first keys. Holds no lock while it computes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

use super::schedule::{Schedule, ScheduleSettings};
use super::seal::{KeyEncryptionKeys, Owner};
use super::view::{Key, KeyView};
use super::{KekSource, KeyringError};
use crate::base::{Clock, Entropy, IssuerId, Moment};
use crate::jose::{Algorithm, PrivateKey, SigningKey};
use crate::store::{KeyRow, KeyRows, Store};

/// What an operator decided about keys.
#[derive(Debug, Clone)]
pub struct KeyringSettings {
    /// The times.
    pub schedule: ScheduleSettings,
    /// Algorithms to have keys of.
    pub algorithms: Vec<Algorithm>,
    /// Size of new RSA keys.
    pub rsa_bits: u32,
}

/// The signing keys of one issuer.
pub struct Keyring {
    store: Arc<dyn Store>,
    issuer: IssuerId,
    keks: KeyEncryptionKeys,
    settings: KeyringSettings,
    clock: Arc<dyn Clock>,
    view: ArcSwap<KeyView>,
    /// When the rows were read last, in milliseconds of the monotonic clock.
    read_at: AtomicU64,
}

impl Keyring {
    /// Opens the keys; at a first start (no rows at all) makes them: for each algorithm one that signs at once, since no
    /// cache can exist, and one in reserve.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub async fn open(
        store: Arc<dyn Store>,
        issuer: IssuerId,
        source: &KekSource,
        settings: KeyringSettings,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, KeyringError> {
        let mut rows = store.read_keys(&issuer).await?;
        // The file first, then the rows: a first start that is cut off between the two can be repeated.
        let keks = source.read(!rows.rows.is_empty(), &*entropy)?;
        if rows.rows.is_empty() {
            let first = first_keys(&issuer, &keks, &settings, clock.now(), entropy).await?;
            // Another first start may have been quicker; its keys are read then.
            store.advance_keys(&issuer, rows.version, &first).await?;
            rows = store.read_keys(&issuer).await?;
        }
        let view = open_rows(&issuer, &keks, &settings, rows, None);
        if view.keys.iter().all(|key| key.opened.is_none()) {
            return Err(KeyringError::NothingOpens);
        }
        let keyring = Self {
            store,
            issuer,
            keks,
            settings,
            clock,
            view: ArcSwap::from_pointee(view),
            read_at: AtomicU64::new(0),
        };
        keyring.mark_read();
        Ok(keyring)
    }

    /// The keys as they were read last.
    #[must_use]
    pub fn view(&self) -> Arc<KeyView> {
        self.view.load_full()
    }

    /// Reads the rows again; keys that are open stay open.
    ///
    /// # Errors
    /// [`KeyringError`]; the view stays as it was.
    pub async fn refresh(&self) -> Result<(), KeyringError> {
        let rows = self.store.read_keys(&self.issuer).await?;
        let former = self.view.load_full();
        if rows.version != former.version {
            let view = open_rows(&self.issuer, &self.keks, &self.settings, rows, Some(&former));
            self.view.store(Arc::new(view));
        }
        self.mark_read();
        Ok(())
    }

    /// Is the last reading so old that the documents could lack a key that signs?
    #[must_use]
    pub fn is_stale(&self) -> bool {
        let age = self.millis().saturating_sub(self.read_at.load(Ordering::Relaxed));
        age > self.settings.schedule.documents_safe_for().get().saturating_mul(1_000)
    }

    fn mark_read(&self) {
        self.read_at.store(self.millis(), Ordering::Relaxed);
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.clock.monotonic().as_millis()).unwrap_or(u64::MAX)
    }
}

fn open_rows(
    issuer: &IssuerId,
    keks: &KeyEncryptionKeys,
    settings: &KeyringSettings,
    rows: KeyRows,
    former: Option<&KeyView>,
) -> KeyView {
    let mut keys: Vec<Key> = rows
        .rows
        .iter()
        .map(|row| Key {
            kid: row.kid.clone(),
            alg: row.alg,
            schedule: Schedule::of(row, &rows.rows, &settings.schedule),
            opened: open_row(issuer, keks, row, former),
        })
        .collect();
    keys.sort_by(|a, b| {
        let place = |key: &Key| (key.alg == Algorithm::Es256, key.schedule.announced_at, key.schedule.signs_from);
        place(a).cmp(&place(b)).then_with(|| a.kid.cmp(&b.kid))
    });
    KeyView { version: rows.version, keys }
}

/// The published half is derived from the private one, so a row that was edited by hand publishes nothing.
fn open_row(
    issuer: &IssuerId,
    keks: &KeyEncryptionKeys,
    row: &KeyRow,
    former: Option<&KeyView>,
) -> Option<Arc<SigningKey>> {
    let sealed = row.sealed.as_deref()?;
    let known = former.and_then(|view| view.keys.iter().find(|key| key.kid == row.kid && key.alg == row.alg));
    if let Some(opened) = known.and_then(|key| key.opened.clone()) {
        return Some(opened);
    }
    let owner = Owner { issuer, kid: &row.kid, alg: row.alg };
    let opened = keks
        .open(&owner, sealed)
        .and_then(|pkcs8| PrivateKey::from_pkcs8(row.alg, pkcs8).ok())
        .and_then(|private| SigningKey::from_private(&private).ok())
        .filter(|key| key.kid() == row.kid);
    if opened.is_none() {
        tracing::error!(kid = row.kid, alg = %row.alg, "a signing key can't be opened and is not published");
    }
    opened.map(Arc::new)
}

async fn first_keys(
    issuer: &IssuerId,
    keks: &KeyEncryptionKeys,
    settings: &KeyringSettings,
    now: Moment,
    entropy: Arc<dyn Entropy>,
) -> Result<Vec<KeyRow>, KeyringError> {
    let schedule = &settings.schedule;
    let signs_from = now - schedule.clock_skew;
    let reserve_from = (now + schedule.announce_for()).max(signs_from + schedule.rotation_period);
    let mut rows = Vec::new();
    for alg in &settings.algorithms {
        for (announced_at, signs_from) in [(signs_from, signs_from), (now, reserve_from)] {
            let private = generate(*alg, settings.rsa_bits, Arc::clone(&entropy)).await?;
            let kid = SigningKey::from_private(&private)?.kid().to_owned();
            let owner = Owner { issuer, kid: &kid, alg: *alg };
            let (kek, sealed) = keks.seal(&owner, private.pkcs8(), &*entropy)?;
            rows.push(KeyRow {
                alg: *alg,
                sealed: Some(sealed),
                kek: Some(kek),
                announced_at,
                signs_from,
                revoked_at: None,
                revoked_reason: None,
                jwks_max_age: schedule.jwks_max_age,
                max_lifetime: schedule.max_lifetime,
                kid,
            });
        }
    }
    Ok(rows)
}

/// Up to seconds for RSA: never on a thread that serves requests.
async fn generate(alg: Algorithm, rsa_bits: u32, entropy: Arc<dyn Entropy>) -> Result<PrivateKey, KeyringError> {
    let made = tokio::task::spawn_blocking(move || PrivateKey::generate(alg, rsa_bits, &*entropy)).await;
    Ok(made.map_err(|_| KeyringError::CutOff)??)
}
