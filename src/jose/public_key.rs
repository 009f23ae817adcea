//! Public halves that we take: RSA of 2048 to 4096 bits with the exponent 65537, and points on P-256.
//! Never holds one that no signature could be checked with.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Algorithm;
use crate::base::Sha256;

/// 65537, the exponent that everybody takes.
const EXPONENT: [u8; 3] = [1, 0, 1];

/// Smaller moduli are broken, larger ones only cost those who check.
const MODULUS_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// Bytes of a coordinate on P-256 (RFC 7518 §6.2.1.2).
const COORDINATE: usize = 32;

/// Why a public key is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    /// A coordinate of another length, or a point that is not on the curve.
    #[error("not a point on P-256, with both coordinates of 32 bytes")]
    Point,
    /// An exponent other than 65537.
    #[error("an RSA key's exponent must be 65537")]
    RsaExponent,
    /// A modulus that is even, too small or too large.
    #[error("an RSA key's modulus must be an odd number of 2048 to 4096 bits")]
    RsaModulus,
}

/// A public key, its numbers held as a JWK spells them: base64url, `n` without leading zeros, coordinates of 43
/// characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PublicKey(Numbers);

/// The numbers of a public key in base64url.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Numbers {
    P256 { x: String, y: String },
    Rsa { n: String, e: String },
}

impl PublicKey {
    /// An RSA key from big-endian modulus and exponent; leading zeros don't count.
    ///
    /// # Errors
    /// [`PublicKeyError`] unless the modulus is odd and has 2048 to 4096 bits, and the exponent is 65537.
    pub fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, PublicKeyError> {
        let (n, e) = (without_leading_zeros(modulus), without_leading_zeros(exponent));
        if e != EXPONENT {
            return Err(PublicKeyError::RsaExponent);
        }
        let leading = n.first().map_or(0, |byte| byte.leading_zeros() as usize);
        let odd = n.last().is_some_and(|byte| byte % 2 == 1);
        if !odd || !MODULUS_BITS.contains(&(n.len() * 8).saturating_sub(leading)) {
            return Err(PublicKeyError::RsaModulus);
        }
        RsaPublicKeyComponents { n, e }
            .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
            .map_err(|_| PublicKeyError::RsaModulus)?;
        Ok(Self(Numbers::Rsa { n: URL_SAFE_NO_PAD.encode(n), e: URL_SAFE_NO_PAD.encode(e) }))
    }

    /// A point on P-256 from its two coordinates, 32 bytes each.
    ///
    /// # Errors
    /// [`PublicKeyError::Point`] for other lengths, and for what is not on the curve.
    pub fn p256(x: &[u8], y: &[u8]) -> Result<Self, PublicKeyError> {
        if x.len() != COORDINATE || y.len() != COORDINATE {
            return Err(PublicKeyError::Point);
        }
        let point = [&[4], x, y].concat();
        ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).map_err(|_| PublicKeyError::Point)?;
        Ok(Self(Numbers::P256 { x: URL_SAFE_NO_PAD.encode(x), y: URL_SAFE_NO_PAD.encode(y) }))
    }

    /// What the key checks.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self.0 {
            Numbers::P256 { .. } => Algorithm::Es256,
            Numbers::Rsa { .. } => Algorithm::Rs256,
        }
    }

    /// The SHA-256 thumbprint (RFC 7638 §3), 43 characters. No other key has it.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        // The required members alone, in the order of their names, without white space (RFC 7638 §3.2, §3.3).
        let canonical = match &self.0 {
            Numbers::P256 { x, y } => format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#),
            Numbers::Rsa { n, e } => format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#),
        };
        URL_SAFE_NO_PAD.encode(Sha256::of(canonical.as_bytes()).as_bytes())
    }

    pub(super) const fn numbers(&self) -> &Numbers {
        &self.0
    }
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}
