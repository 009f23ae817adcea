//! Generates private keys. No code in this file signs: the crates `p256` and `rsa` are used for generation only.

use p256::pkcs8::EncodePrivateKey as _;
use rand::{TryCryptoRng, TryRng};
use rsa::Generate as _;
use zeroize::Zeroizing;

use super::algorithm::Algorithm;
use super::private_key::{KeyError, PrivateKey};
use crate::base::{Entropy, EntropyError};

impl PrivateKey {
    /// Generates a private key for `alg`. `rsa_bits` is the size of an RSA key, and is ignored for ES256.
    ///
    /// The generation takes up to several seconds, so it must not run on an async thread.
    ///
    /// # Errors
    /// [`KeyError::RsaBits`] if `rsa_bits` is not 2048, 3072 or 4096, [`KeyError::Entropy`] if the random generator
    /// fails.
    pub fn generate(alg: Algorithm, rsa_bits: u32, entropy: &dyn Entropy) -> Result<Self, KeyError> {
        let mut draw = Draw { entropy, failed: false };
        let generated = match alg {
            Algorithm::Es256 => es256(&mut draw),
            Algorithm::Rs256 => rs256(&mut draw, rsa_bits),
        };
        if draw.failed {
            return Err(EntropyError.into());
        }
        // The crate that will sign with the key checks the key that another crate generated.
        Self::from_pkcs8(alg, generated?)
    }
}

fn es256(draw: &mut Draw<'_>) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let key = p256::SecretKey::try_generate_from_rng(draw)?;
    Ok(key.to_pkcs8_der().map_err(|_| KeyError::Generation)?.to_bytes())
}

fn rs256(draw: &mut Draw<'_>, bits: u32) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let bits = match bits {
        2048 => 2048,
        3072 => 3072,
        4096 => 4096,
        _ => return Err(KeyError::RsaBits),
    };
    let key = rsa::PrivateKey::new(draw, bits).map_err(|_| KeyError::Generation)?;
    Ok(key.to_pkcs8_der().map_err(|_| KeyError::Generation)?.to_bytes())
}

/// Adapts [`Entropy`] to the traits of the crates that generate keys.
struct Draw<'a> {
    entropy: &'a dyn Entropy,
    /// Whether `entropy` failed. Kept here, because a crate may hide the failure in an error of its own.
    failed: bool,
}

impl TryRng for Draw<'_> {
    type Error = EntropyError;

    fn try_next_u32(&mut self) -> Result<u32, EntropyError> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, EntropyError> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        self.entropy.fill(bytes).inspect_err(|_| self.failed = true)
    }
}

impl TryCryptoRng for Draw<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SystemEntropy;
    use crate::jose::SigningKey;

    struct NoEntropy;

    impl Entropy for NoEntropy {
        fn fill(&self, _: &mut [u8]) -> Result<(), EntropyError> {
            Err(EntropyError)
        }
    }

    #[test]
    fn a_generated_key_signs_and_differs_each_time() {
        for alg in Algorithm::ALL {
            let kids: Vec<String> = (0..2)
                .map(|_| {
                    let key = PrivateKey::generate(alg, 2048, &SystemEntropy).unwrap();
                    SigningKey::from_private(&key).unwrap().kid().to_owned()
                })
                .collect();
            assert_ne!(kids[0], kids[1]);
        }
    }

    #[test]
    fn no_key_is_generated_without_entropy() {
        for alg in Algorithm::ALL {
            let error = PrivateKey::generate(alg, 2048, &NoEntropy).unwrap_err();
            assert_eq!(error, KeyError::Entropy(EntropyError));
        }
    }

    #[test]
    fn an_rsa_key_of_another_size_is_not_generated() {
        for bits in [0, 1024, 2047, 2049, 8192] {
            let error = PrivateKey::generate(Algorithm::Rs256, bits, &SystemEntropy).unwrap_err();
            assert_eq!(error, KeyError::RsaBits, "{bits}");
        }
    }
}
