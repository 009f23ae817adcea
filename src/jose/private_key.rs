//! A private half as it is kept: bytes that leave memory clean. Never printed, never compared, never serialised.

use std::fmt;

use zeroize::Zeroizing;

use super::algorithm::Algorithm;
use super::public_key::PublicKeyError;
use super::sign::SigningKey;
use crate::base::EntropyError;

/// A key that is not fit to sign our tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The generator of random bytes failed while a key was made.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The crate that makes keys failed.
    #[error("a key could not be made")]
    Generation,
    /// The public half is one that we don't sign with.
    #[error(transparent)]
    Public(#[from] PublicKeyError),
    /// A size that we don't make.
    #[error("an RSA key is made with 2048, 3072 or 4096 bits")]
    RsaBits,
    /// Not a private key of this algorithm in PKCS#8 (RFC 5208).
    #[error("not an {0} private key in PKCS#8")]
    Unreadable(Algorithm),
}

/// A private key in PKCS#8 (RFC 5208, DER), known to be good for its algorithm.
pub struct PrivateKey {
    alg: Algorithm,
    pkcs8: Zeroizing<Vec<u8>>,
}

impl PrivateKey {
    /// Takes a key that was kept, if it is one of this algorithm that [`SigningKey`] can sign with.
    ///
    /// # Errors
    /// [`KeyError`]: another algorithm's, malformed, or of a size or exponent that we don't sign with.
    pub fn from_pkcs8(alg: Algorithm, pkcs8: Zeroizing<Vec<u8>>) -> Result<Self, KeyError> {
        let key = Self { alg, pkcs8 };
        SigningKey::from_private(&key)?;
        Ok(key)
    }

    /// What it signs with.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.alg
    }

    /// The secret bytes. Each call is a place to look at in review.
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
