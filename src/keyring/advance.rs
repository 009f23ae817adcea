//! Writes changes of signing keys by compare-and-swap, among them the acts of operators. A change is computed again
//! after every conflict with another server, and a change that was computed too long ago is never written.

use std::sync::Arc;

use super::KeyringError;
use super::acts::{self, Revocation, Switch};
use super::error::{ActError, AdoptionError, KeyRefusal};
use super::key_pool::PooledKey;
use super::keyring::Keyring;
use super::plan::{NewKey, PlanStep};
use super::seal::{Owner, Sealed};
use super::takeover::{AdoptedKey, Takeover, adopted_until, init, schedule_takeover};
use crate::base::{Moment, Seconds};
use crate::jose::{Algorithm, JwkSet};
use crate::store::{AdoptedRow, KeyChange, KeyRow, KeyRows, SealedText, Still};

/// Number of conflicts with other changes after which a change of keys fails.
const ATTEMPTS: usize = 20;

impl Keyring {
    /// Writes the change that `decide` computes from the current rows, unless another server changed the rows in
    /// between: then computes the change again. Fails if the server's clock may be wrong.
    pub(super) async fn advance<T>(
        &self,
        decide: impl Fn(&KeyRows, Moment) -> Result<(PlanStep, T), ActError>,
    ) -> Result<T, ActError> {
        self.swap(|keys, now| {
            self.watch.check(now).map_err(KeyringError::from)?;
            decide(keys, now)
        })
        .await
    }

    async fn swap<T>(
        &self,
        decide: impl Fn(&KeyRows, Moment) -> Result<(PlanStep, T), ActError>,
    ) -> Result<T, ActError> {
        for _ in 0..ATTEMPTS {
            let keys = self.parts.store.read_keys(&self.parts.issuer).await.map_err(KeyringError::from)?;
            let now = self.parts.clock.now();
            let still = self.recency_check();
            let (step, answer) = decide(&keys, now)?;
            if step.is_empty() {
                return Ok(answer);
            }
            let wanted: Vec<_> = step.made.iter().map(|key| key.alg).collect();
            if self.key_pool.fill(&wanted).await? {
                continue; // Generating keys took seconds, so the change is computed again.
            }
            let (change, used) = self.with_keys(step)?;
            // After an error the new keys may or may not be in the database, so these keys must not be used again.
            let swapped = self.parts.store.advance_keys(&self.parts.issuer, keys.version, &change, &still).await;
            if swapped.map_err(KeyringError::from)? {
                self.refresh().await?;
                return Ok(answer);
            }
            self.key_pool.give_back(used);
        }
        Err(KeyringError::Contended.into())
    }

    /// Returns the check that the store makes right before it commits a change: the change was computed at most
    /// `refresh_interval` ago. An older change would publish keys later than the times in its rows.
    fn recency_check(&self) -> Still {
        let (clock, decided) = (Arc::clone(&self.parts.clock), self.parts.clock.monotonic());
        let within = self.parts.settings.schedule.refresh_interval.duration();
        Arc::new(move || clock.monotonic().saturating_sub(decided) <= within)
    }

    /// Returns the change with a row for each new key, and the generated keys in these rows, which go back to the pool
    /// if the change is not written.
    fn with_keys(&self, step: PlanStep) -> Result<(KeyChange, Vec<PooledKey>), KeyringError> {
        let PlanStep { mut change, made } = step;
        let mut used = Vec::new();
        for key in made {
            let pooled = self.key_pool.take(key.alg).ok_or(KeyringError::CutOff)?;
            change.rows.push(self.seal(key, &pooled)?);
            used.push(pooled);
        }
        Ok((change, used))
    }

    fn seal(&self, key: NewKey, pooled: &PooledKey) -> Result<KeyRow, KeyringError> {
        let owner = Owner { issuer: &self.parts.issuer, what: Sealed::Private { kid: &pooled.kid, alg: key.alg } };
        let SealedText { sealed, kek } = self.keks.seal(&owner, pooled.private.pkcs8(), &*self.parts.entropy)?;
        Ok(key.row(pooled.kid.clone(), sealed, kek))
    }

    /// Schedules, for each algorithm, the earliest safe switch from the current signing key to the announced key; with
    /// `at_once`, the nearest possible switch.
    ///
    /// # Errors
    /// [`ActError`]; [`KeyRefusal::AnnouncedTooRecently`] if `at_once` is set and some cache may lack an announced key.
    pub async fn rotate(&self, at_once: bool) -> Result<Vec<Switch>, ActError> {
        self.advance(|keys, now| Ok(acts::rotate(keys, &self.parts.settings, now, at_once)?)).await
    }

    /// Revokes a key at once: one of our signing keys, or an adopted public key of a former issuer.
    ///
    /// # Errors
    /// [`ActError`]; [`KeyRefusal::Unknown`] if no key has this `kid`, [`KeyRefusal::Revoked`] if the key was revoked
    /// before.
    pub async fn revoke(&self, kid: &str, reason: &str) -> Result<Revocation, ActError> {
        self.advance(|keys, now| {
            if let Some(row) = keys.adopted.iter().find(|row| row.kid == kid) {
                return Ok(self.revoke_adopted(row, reason, now)?);
            }
            Ok(acts::revoke(keys, &self.parts.settings, now, kid, reason)?)
        })
        .await
    }

    fn revoke_adopted(
        &self,
        row: &AdoptedRow,
        reason: &str,
        now: Moment,
    ) -> Result<(PlanStep, Revocation), KeyRefusal> {
        if let Some(at) = row.revoked_at {
            return Err(KeyRefusal::Revoked { kid: row.kid.clone(), at });
        }
        let revoked = AdoptedRow { revoked_at: Some(now), revoked_reason: Some(reason.to_owned()), ..row.clone() };
        let revocation = Revocation::of_adopted(&row.kid, &self.parts.settings.schedule, now);
        let change = KeyChange { adopted: vec![revoked], ..KeyChange::default() };
        Ok((PlanStep { change, made: Vec::new() }, revocation))
    }

    /// Changes the list of signature algorithms and creates the keys that the new list needs, in one compare-and-swap.
    /// With `dry_run`, only checks the new list. Returns the previous list.
    ///
    /// # Errors
    /// [`ActError`]; [`KeyRefusal::NoneSigns`] if no key of a listed algorithm could sign now.
    pub async fn apply_algorithms(&self, wanted: &[Algorithm], dry_run: bool) -> Result<Vec<Algorithm>, ActError> {
        self.advance(|keys, now| {
            let before = keys.algorithms.clone();
            if before == wanted {
                return Ok((PlanStep::default(), before));
            }
            let step = acts::change_algorithms(keys, &self.parts.settings, now, wanted)?;
            Ok((if dry_run { PlanStep::default() } else { step }, before))
        })
        .await
    }

    /// Stores the current time as the largest time that any server has seen, after a server's clock ran ahead. Returns
    /// the `kid` of each key that was revoked because it was announced later than now.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn accept_clock(&self) -> Result<Vec<String>, ActError> {
        self.refresh().await?;
        if let Err(fault @ super::ClockFault::Apart { .. }) = self.watch.check(self.parts.clock.now()) {
            return Err(KeyringError::Clock(fault).into());
        }
        self.swap(|keys, now| Ok(acts::accept_clock(keys, &self.parts.settings, now)?)).await
    }

    /// Encrypts again, with the first key-encryption key, every stored text that another key encrypted. Returns the
    /// number of such texts.
    ///
    /// # Errors
    /// [`ActError`]; [`KeyringError::NothingOpens`] if a text cannot be opened with any configured key.
    pub async fn reseal(&self) -> Result<usize, ActError> {
        self.swap(|keys, _| {
            let change = self.resealed(keys)?;
            let count = change.rows.len() + change.adopted.len() + usize::from(change.takeover.is_some());
            Ok((PlanStep { change, made: Vec::new() }, count))
        })
        .await
    }

    fn resealed(&self, keys: &KeyRows) -> Result<KeyChange, KeyringError> {
        let first = self.keks.first();
        let reseal = |what: Sealed<'_>, sealed: &[u8]| {
            let owner = Owner { issuer: &self.parts.issuer, what };
            let plain = self.keks.open(&owner, sealed).ok_or(KeyringError::NothingOpens)?;
            self.keks.seal(&owner, &plain, &*self.parts.entropy)
        };
        let mut change = KeyChange::default();
        for row in keys.rows.iter().filter(|row| row.kek.as_deref() != first) {
            let Some(sealed) = row.sealed.as_deref() else { continue };
            let text = reseal(Sealed::Private { kid: &row.kid, alg: row.alg }, sealed)?;
            change.rows.push(KeyRow { sealed: Some(text.sealed), kek: Some(text.kek), ..row.clone() });
        }
        for row in keys.adopted.iter().filter(|row| Some(row.kek.as_str()) != first) {
            let text = reseal(Sealed::Adopted { kid: &row.kid }, &row.sealed)?;
            change.adopted.push(AdoptedRow { sealed: text.sealed, kek: text.kek, ..row.clone() });
        }
        if let Some(text) = keys.takeover.as_ref().filter(|text| Some(text.kek.as_str()) != first) {
            change.takeover = Some(reseal(Sealed::Takeover, &text.sealed)?);
        }
        Ok(change)
    }

    /// Creates our first signing keys while another issuer still serves our URL. Our first start schedules these keys,
    /// and publishes them together with the public keys of the other issuer (`former`).
    ///
    /// # Errors
    /// [`ActError`]; [`KeyRefusal::Begun`] if signing keys exist already.
    pub async fn init(&self, takeover: &Takeover, former: &JwkSet) -> Result<(), ActError> {
        self.advance(|keys, now| {
            let mut step = init(keys, &self.parts.settings, now)?;
            let (issuer, entropy) = (&self.parts.issuer, &*self.parts.entropy);
            step.change.takeover = Some(takeover.seal(issuer, &self.keks, entropy)?);
            step.change.adopted = self.adopt_rows(keys, former, None)?;
            Ok((step, ()))
        })
        .await
    }

    /// Schedules the signing keys that [`Self::init`] created, and sets the time at which the former issuer's public
    /// keys leave our key set.
    pub(super) async fn schedule_takeover(&self) -> Result<(), ActError> {
        self.advance(|keys, now| {
            let Some(mut takeover) = self.takeover(keys) else {
                return Ok((schedule_takeover(keys, &self.parts.settings, now, Seconds::ZERO), ()));
            };
            let mut step = schedule_takeover(keys, &self.parts.settings, now, takeover.cached_for);
            let scheduled = KeyRows { rows: step.change.rows.clone(), ..KeyRows::default() };
            let until = adopted_until(&scheduled, &self.parts.settings, now, takeover.adopt_for);
            takeover.until = Some(until);
            let (issuer, entropy) = (&self.parts.issuer, &*self.parts.entropy);
            step.change.takeover = Some(takeover.seal(issuer, &self.keks, entropy)?);
            for row in keys.adopted.iter().filter(|row| row.revoked_at.is_none()) {
                let Some(key) = AdoptedKey::open(issuer, &self.keks, row) else { continue };
                step.change.adopted.push(AdoptedKey { until: Some(until), ..key }.seal(issuer, &self.keks, entropy)?);
            }
            Ok((step, ()))
        })
        .await
    }

    /// Returns the URL from which to fetch the former issuer's key set again; `None` after our first signature, or if
    /// the key set came from a file.
    #[must_use]
    pub fn former_source(&self, now: Moment) -> Option<String> {
        let view = self.view();
        let first = view.first_signature()?;
        view.takeover.as_ref().filter(|_| now < first)?.source.clone()
    }

    /// Adopts the public keys in a former issuer's key set that are not adopted yet. Returns the number of newly
    /// adopted keys.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn adopt(&self, former: &JwkSet) -> Result<usize, ActError> {
        self.advance(|keys, _| {
            let until = self.takeover(keys).and_then(|takeover| takeover.until);
            // The URL may already serve our own key set, from which no key is adopted.
            let theirs = former.keys.iter().filter(|key| keys.rows.iter().all(|row| row.kid != key.kid()));
            let theirs = JwkSet { keys: theirs.cloned().collect() };
            let adopted = self.adopt_rows(keys, &theirs, until)?;
            let count = adopted.len();
            let change = KeyChange { adopted, ..KeyChange::default() };
            Ok((PlanStep { change, made: Vec::new() }, count))
        })
        .await
    }

    fn takeover(&self, keys: &KeyRows) -> Option<Takeover> {
        Takeover::open(&self.parts.issuer, &self.keks, keys.takeover.as_ref()?)
    }

    fn adopt_rows(&self, keys: &KeyRows, former: &JwkSet, until: Option<Moment>) -> Result<Vec<AdoptedRow>, ActError> {
        let mut rows = Vec::new();
        for jwk in &former.keys {
            if keys.rows.iter().any(|row| row.kid == jwk.kid()) {
                return Err(KeyRefusal::Adoption(AdoptionError::Ours { kid: jwk.kid().to_owned() }).into());
            }
            if keys.adopted.iter().any(|row| row.kid == jwk.kid()) {
                continue;
            }
            let key = AdoptedKey { jwk: jwk.clone(), until };
            rows.push(key.seal(&self.parts.issuer, &self.keks, &*self.parts.entropy)?);
        }
        Ok(rows)
    }
}
