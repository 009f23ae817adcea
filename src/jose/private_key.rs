//! A private key as the store keeps it. Cleared from memory on drop; never printed, compared or serialised.

use std::fmt;

use zeroize::Zeroizing;

use super::algorithm::Algorithm;
use super::public_key::PublicKeyError;
use crate::base::EntropyError;

/// Error returned when a key cannot be generated, or cannot sign this issuer's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The random generator failed while a key was generated.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The crate that generates keys failed.
    #[error("the key could not be generated")]
    Generation,
    /// The public half is weak, or other verifiers would reject it.
    #[error(transparent)]
    Public(#[from] PublicKeyError),
    /// The size is not one that can be generated.
    #[error("an RSA key must have 2048, 3072 or 4096 bits")]
    RsaBits,
    /// The bytes are not a private key of this algorithm in PKCS#8 (RFC 5208).
    #[error("not an {0} private key in PKCS#8")]
    Unreadable(Algorithm),
}

/// A private key in PKCS#8 (RFC 5208, DER) that can sign with its algorithm.
pub struct PrivateKey {
    alg: Algorithm,
    pkcs8: Zeroizing<Vec<u8>>,
}

impl PrivateKey {
    /// Wraps bytes that the caller has still to check.
    pub(super) const fn unchecked(alg: Algorithm, pkcs8: Zeroizing<Vec<u8>>) -> Self {
        Self { alg, pkcs8 }
    }

    /// Returns the algorithm of the key.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.alg
    }

    /// Returns the secret bytes. Review each call: the key may leave through it.
    #[must_use]
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}
