//! Public keys that check signatures: RSA keys of 2048 to 8192 bits, and points on P-256 and P-384. A `PublicKey` is
//! never weak or malformed.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, EcdsaVerificationAlgorithm, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::algorithm::Algorithm;
use super::roca::is_vulnerable;
use super::signature_algorithm::SignatureAlgorithm;
use crate::base::Sha256;

/// Base64url of 65537, which is the only exponent that a published RSA key may have.
const PUBLISHED_EXPONENT: &str = "AQAB";

/// Accepted numbers of bits of an RSA modulus. A smaller modulus is weak, a larger one slows the verifier down.
const MODULUS_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Maximum bits of an RSA exponent. A larger exponent slows the verifier down.
const EXPONENT_BITS: usize = 32;

/// Maximum bits of a published RSA modulus. Some clouds reject a larger modulus.
const PUBLISHED_BITS: usize = 4096;

/// Number of bytes of a coordinate on P-256 (RFC 7518 §6.2.1.2).
const P256_COORDINATE: usize = 32;
/// Number of bytes of a coordinate on P-384 (RFC 7518 §6.2.1.2).
const P384_COORDINATE: usize = 48;

/// Error returned for a public key that is weak, malformed or not fit to be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    /// A coordinate of the elliptic-curve point has the wrong length, or the point is not on the curve.
    #[error("the coordinates have the wrong length, or the point is not on the curve")]
    Point,
    /// The key can check signatures, but its type, size or exponent is one that some verifier rejects in a published
    /// key set.
    #[error("cannot publish this kind of key: use RSA of 2048 to 4096 bits with the exponent 65537, or P-256")]
    Published,
    /// The RSA key comes from the faulty generator of CVE-2017-15361, so that anyone can compute the private half.
    #[error("the RSA modulus is vulnerable to ROCA (CVE-2017-15361)")]
    Roca,
    /// The RSA key's exponent is even, is less than 3 or has more than 32 bits.
    #[error("an RSA key's exponent must be an odd number of at least 3 and of at most 32 bits")]
    RsaExponent,
    /// The RSA key's modulus is even, too small or too large.
    #[error("an RSA key's modulus must be an odd number of 2048 to 8192 bits")]
    RsaModulus,
}

/// A public key that can check signatures. The key's numbers are stored as in a JWK: base64url, `n` and `e` without
/// leading zeros, each coordinate with the length that the curve requires.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PublicKey(Numbers);

/// The numbers of a public key in base64url.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Numbers {
    P256 { x: String, y: String },
    P384 { x: String, y: String },
    Rsa { n: String, e: String },
}

impl PublicKey {
    /// Creates an RSA key from a big-endian modulus and a big-endian exponent. Ignores leading zeros.
    ///
    /// # Errors
    /// [`PublicKeyError`] if the key breaks one of these rules: the modulus is odd, has 2048 to 8192 bits and is not
    /// vulnerable to ROCA; the exponent is odd, at least 3 and has at most 32 bits.
    pub fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, PublicKeyError> {
        let (n, e) = (without_leading_zeros(modulus), without_leading_zeros(exponent));
        if !is_odd(e) || e == [1] || bits(e) > EXPONENT_BITS {
            return Err(PublicKeyError::RsaExponent);
        }
        if !is_odd(n) || !MODULUS_BITS.contains(&bits(n)) {
            return Err(PublicKeyError::RsaModulus);
        }
        if is_vulnerable(n) {
            return Err(PublicKeyError::Roca);
        }
        RsaPublicKeyComponents { n, e }
            .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
            .map_err(|_| PublicKeyError::RsaModulus)?;
        Ok(Self(Numbers::Rsa { n: URL_SAFE_NO_PAD.encode(n), e: URL_SAFE_NO_PAD.encode(e) }))
    }

    /// Creates a key on P-256 from the two coordinates of a point, 32 bytes each.
    ///
    /// # Errors
    /// [`PublicKeyError::Point`] if a coordinate has another length, or if the point is not on the curve.
    pub fn p256(x: &[u8], y: &[u8]) -> Result<Self, PublicKeyError> {
        let (x, y) = point(&ECDSA_P256_SHA256_FIXED, P256_COORDINATE, x, y)?;
        Ok(Self(Numbers::P256 { x, y }))
    }

    /// Creates a key on P-384 from the two coordinates of a point, 48 bytes each.
    ///
    /// # Errors
    /// [`PublicKeyError::Point`] if a coordinate has another length, or if the point is not on the curve.
    pub fn p384(x: &[u8], y: &[u8]) -> Result<Self, PublicKeyError> {
        let (x, y) = point(&ECDSA_P384_SHA384_FIXED, P384_COORDINATE, x, y)?;
        Ok(Self(Numbers::P384 { x, y }))
    }

    /// Returns the algorithms of the signatures that the key can check.
    #[must_use]
    pub const fn algorithms(&self) -> &'static [SignatureAlgorithm] {
        match self.0 {
            Numbers::P256 { .. } => &[SignatureAlgorithm::Es256],
            Numbers::P384 { .. } => &[SignatureAlgorithm::Es384],
            Numbers::Rsa { .. } => &[SignatureAlgorithm::Rs256, SignatureAlgorithm::Rs384, SignatureAlgorithm::Rs512],
        }
    }

    /// Returns the algorithm under which the key is published.
    ///
    /// # Errors
    /// [`PublicKeyError::Published`] if some verifier would reject the key.
    pub(super) fn published_algorithm(&self) -> Result<Algorithm, PublicKeyError> {
        match &self.0 {
            Numbers::P256 { .. } => Ok(Algorithm::Es256),
            Numbers::Rsa { n, e } if e == PUBLISHED_EXPONENT && n.len() <= (PUBLISHED_BITS / 8 * 4).div_ceil(3) => {
                Ok(Algorithm::Rs256)
            }
            Numbers::P384 { .. } | Numbers::Rsa { .. } => Err(PublicKeyError::Published),
        }
    }

    /// Computes the SHA-256 thumbprint (RFC 7638 §3): 43 characters, unique to the key.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        // Only the required members, in the order of their names, without white space (RFC 7638 §3.2, §3.3).
        let canonical = match &self.0 {
            Numbers::P256 { x, y } => format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#),
            Numbers::P384 { x, y } => format!(r#"{{"crv":"P-384","kty":"EC","x":"{x}","y":"{y}"}}"#),
            Numbers::Rsa { n, e } => format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#),
        };
        URL_SAFE_NO_PAD.encode(Sha256::of(canonical.as_bytes()).as_bytes())
    }

    pub(super) const fn numbers(&self) -> &Numbers {
        &self.0
    }
}

fn point(
    curve: &'static EcdsaVerificationAlgorithm,
    length: usize,
    x: &[u8],
    y: &[u8],
) -> Result<(String, String), PublicKeyError> {
    if x.len() != length || y.len() != length {
        return Err(PublicKeyError::Point);
    }
    ParsedPublicKey::new(curve, [&[4], x, y].concat()).map_err(|_| PublicKeyError::Point)?;
    Ok((URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y)))
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

fn is_odd(number: &[u8]) -> bool {
    number.last().is_some_and(|byte| byte % 2 == 1)
}

/// Returns the number of bits of a big-endian number whose first byte is not zero.
fn bits(number: &[u8]) -> usize {
    let leading = number.first().map_or(0, |byte| byte.leading_zeros() as usize);
    (number.len() * 8).saturating_sub(leading)
}
