//! Pool of signing keys that are generated ahead of need and held in memory. Generating a key takes up to several
//! seconds, so keys are generated on blocking threads, never on an async thread.

use std::sync::{Arc, Mutex, PoisonError};

use super::KeyringError;
use crate::base::Entropy;
use crate::jose::{Algorithm, PrivateKey, SigningKey};

/// A generated signing key that is not stored yet.
pub(super) struct PooledKey {
    pub(super) kid: String,
    pub(super) private: PrivateKey,
}

pub(super) struct KeyPool {
    rsa_bits: u32,
    entropy: Arc<dyn Entropy>,
    keys: Mutex<Vec<PooledKey>>,
}

impl KeyPool {
    pub(super) fn new(rsa_bits: u32, entropy: Arc<dyn Entropy>) -> Self {
        Self { rsa_bits, entropy, keys: Mutex::new(Vec::new()) }
    }

    /// Generates keys until the pool holds as many keys of each algorithm as `wanted` lists. Returns whether any key
    /// had to be generated.
    pub(super) async fn fill(&self, wanted: &[Algorithm]) -> Result<bool, KeyringError> {
        let mut generated = false;
        for alg in Algorithm::ALL {
            let wanted = wanted.iter().filter(|wanted| **wanted == alg).count();
            while self.count(alg) < wanted {
                let key = self.generate(alg).await?;
                self.lock().push(key);
                generated = true;
            }
        }
        Ok(generated)
    }

    pub(super) fn take(&self, alg: Algorithm) -> Option<PooledKey> {
        let mut keys = self.lock();
        let at = keys.iter().position(|key| key.private.algorithm() == alg)?;
        Some(keys.swap_remove(at))
    }

    /// Puts keys that were taken but not stored back into the pool.
    pub(super) fn give_back(&self, unused: Vec<PooledKey>) {
        self.lock().extend(unused);
    }

    fn count(&self, alg: Algorithm) -> usize {
        self.lock().iter().filter(|key| key.private.algorithm() == alg).count()
    }

    async fn generate(&self, alg: Algorithm) -> Result<PooledKey, KeyringError> {
        let (rsa_bits, entropy) = (self.rsa_bits, Arc::clone(&self.entropy));
        let task = tokio::task::spawn_blocking(move || -> Result<PooledKey, KeyringError> {
            let private = PrivateKey::generate(alg, rsa_bits, &*entropy)?;
            let kid = SigningKey::from_private(&private)?.kid().to_owned();
            Ok(PooledKey { kid, private })
        });
        task.await.map_err(|_| KeyringError::CutOff)?
    }

    /// Locks the list of keys. Ignores poisoning, since no operation under the lock can leave the list half changed.
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<PooledKey>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
