//! A private key in the form that the store keeps. The key is cleared from memory on drop, and is never printed,
//! compared or serialised.

use std::fmt;

use zeroize::Zeroizing;

use super::algorithm::Algorithm;
use super::public_key::PublicKeyError;
use crate::base::EntropyError;

/// Error returned when a private key cannot be generated, or cannot sign this issuer's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The random generator failed while a key was generated.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The crate that generates keys returned an error.
    #[error("the key could not be generated")]
    Generation,
    /// The public half of the key is weak, or some verifier would reject it.
    #[error(transparent)]
    Public(#[from] PublicKeyError),
    /// The requested size of an RSA key is not one that can be generated.
    #[error("an RSA key must have 2048, 3072 or 4096 bits")]
    RsaBits,
    /// The bytes are not a private key of the named algorithm in PKCS#8 (RFC 5208).
    #[error("not an {0} private key in PKCS#8")]
    Unreadable(Algorithm),
}

/// A private key in PKCS#8 (RFC 5208, DER), with the algorithm that the key signs with.
pub struct PrivateKey {
    alg: Algorithm,
    pkcs8: Zeroizing<Vec<u8>>,
}

impl PrivateKey {
    /// Wraps the bytes of a key without any check. The calling code must then check that the key can sign.
    pub(super) const fn unchecked(alg: Algorithm, pkcs8: Zeroizing<Vec<u8>>) -> Self {
        Self { alg, pkcs8 }
    }

    /// Returns the algorithm that the key signs with.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.alg
    }

    /// Returns the secret bytes of the key. Review each call of this method, because the key may leak through the call.
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
