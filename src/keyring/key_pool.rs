//! Keys that are made before they are needed. Making one takes up to seconds, so it happens on threads that serve nobody.

use std::sync::{Arc, Mutex, PoisonError};

use super::KeyringError;
use crate::base::Entropy;
use crate::jose::{Algorithm, PrivateKey, SigningKey};

/// A key that belongs to no row yet.
pub(super) struct PooledKey {
    pub(super) kid: String,
    pub(super) private: PrivateKey,
}

/// Keys in hand, in memory alone.
pub(super) struct KeyPool {
    rsa_bits: u32,
    entropy: Arc<dyn Entropy>,
    keys: Mutex<Vec<PooledKey>>,
}

impl KeyPool {
    pub(super) fn new(rsa_bits: u32, entropy: Arc<dyn Entropy>) -> Self {
        Self { rsa_bits, entropy, keys: Mutex::new(Vec::new()) }
    }

    /// Makes keys until there are so many of each algorithm; `false` if there were enough.
    pub(super) async fn make_up_to(&self, wanted: &[Algorithm]) -> Result<bool, KeyringError> {
        let mut made = false;
        for alg in Algorithm::ALL {
            let wanted = wanted.iter().filter(|wanted| **wanted == alg).count();
            while self.count(alg) < wanted {
                let spare = self.generate(alg).await?;
                self.lock().push(spare);
                made = true;
            }
        }
        Ok(made)
    }

    /// Takes one in hand.
    pub(super) fn take(&self, alg: Algorithm) -> Option<PooledKey> {
        let mut keys = self.lock();
        let at = keys.iter().position(|spare| spare.private.algorithm() == alg)?;
        Some(keys.swap_remove(at))
    }

    /// Gives back what was taken and not used.
    pub(super) fn give_back(&self, key_pool: Vec<PooledKey>) {
        self.lock().extend(key_pool);
    }

    fn count(&self, alg: Algorithm) -> usize {
        self.lock().iter().filter(|spare| spare.private.algorithm() == alg).count()
    }

    async fn generate(&self, alg: Algorithm) -> Result<PooledKey, KeyringError> {
        let (rsa_bits, entropy) = (self.rsa_bits, Arc::clone(&self.entropy));
        let made = tokio::task::spawn_blocking(move || -> Result<PooledKey, KeyringError> {
            let private = PrivateKey::generate(alg, rsa_bits, &*entropy)?;
            let kid = SigningKey::from_private(&private)?.kid().to_owned();
            Ok(PooledKey { kid, private })
        });
        made.await.map_err(|_| KeyringError::CutOff)?
    }

    /// Nothing is done under the lock that could leave it half done, so a poisoned one is as good.
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<PooledKey>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
