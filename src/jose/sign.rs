//! Signs: the compact form (RFC 7515 §7.1) over a key that was parsed once. Never parses a key for a token, never
//! chooses a claim.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::algorithm::Algorithm;
use super::jwk::Jwk;
use super::private_key::{KeyError, PrivateKey};
use super::public_key::{PublicKey, PublicKeyError};

/// Bytes of a signature of ES256 (RFC 7518 §3.4): R and S, 32 each.
const ES256_SIGNATURE: usize = 64;

/// The backend could not sign. No token left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature could not be made")]
pub struct SignError;

/// A private key ready to sign, with its public half and the header that all its tokens carry.
pub struct SigningKey {
    pair: Pair,
    jwk: Jwk,
    /// Base64url of the header of ID tokens, and the dot after it.
    prefix: String,
    /// The same of access tokens.
    access_prefix: String,
}

enum Pair {
    Es256(EcdsaKeyPair),
    Rs256(RsaKeyPair),
}

impl SigningKey {
    /// Parses a private key, and derives its public half from it.
    ///
    /// # Errors
    /// [`KeyError`] when it is not a key of its algorithm, or of a size or exponent that we don't sign with.
    pub fn from_private(key: &PrivateKey) -> Result<Self, KeyError> {
        let alg = key.algorithm();
        let (pair, public) = match alg {
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.pkcs8())
                    .map_err(|_| KeyError::Unreadable(alg))?;
                let public = point(pair.public_key().as_ref())?;
                (Pair::Es256(pair), public)
            }
            Algorithm::Rs256 => {
                let pair = RsaKeyPair::from_pkcs8(key.pkcs8()).map_err(|_| KeyError::Unreadable(alg))?;
                let half = pair.public_key();
                let public = PublicKey::rsa(
                    half.modulus().big_endian_without_leading_zero(),
                    half.exponent().big_endian_without_leading_zero(),
                )?;
                (Pair::Rs256(pair), public)
            }
        };
        let jwk = Jwk::of(public)?;
        // Neither value holds a character that JSON would escape.
        let prefix = |typ: &str| {
            let header = format!(r#"{{"typ":"{typ}","alg":"{alg}","kid":"{}"}}"#, jwk.kid());
            format!("{}.", URL_SAFE_NO_PAD.encode(header))
        };
        let (prefix, access_prefix) = (prefix("JWT"), prefix("at+jwt"));
        Ok(Self { pair, jwk, prefix, access_prefix })
    }

    /// What it signs with.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.jwk.algorithm()
    }

    /// The name of the key: its thumbprint (RFC 7638).
    #[must_use]
    pub fn kid(&self) -> &str {
        self.jwk.kid()
    }

    /// The public half, as it is published.
    #[must_use]
    pub const fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// A token that says `claims`, which must be the bytes of a JSON object. They are signed as they stand.
    ///
    /// # Errors
    /// [`SignError`] when the backend fails.
    pub fn sign(&self, claims: &[u8]) -> Result<String, SignError> {
        self.sign_after(&self.prefix, claims)
    }

    /// An access token (RFC 9068: `typ` is `at+jwt`, which no verifier of ID tokens takes) that says `claims`.
    ///
    /// # Errors
    /// [`SignError`] when the backend fails.
    pub fn sign_access_token(&self, claims: &[u8]) -> Result<String, SignError> {
        self.sign_after(&self.access_prefix, claims)
    }

    fn sign_after(&self, prefix: &str, claims: &[u8]) -> Result<String, SignError> {
        let signature_length = match &self.pair {
            Pair::Es256(_) => ES256_SIGNATURE,
            Pair::Rs256(pair) => pair.public_modulus_len(),
        };
        let length = prefix.len() + (claims.len() + signature_length).div_ceil(3) * 4 + 4;
        let mut token = String::with_capacity(length);
        token.push_str(prefix);
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        // The backend draws its own random numbers; the parameter is there for another backend's sake.
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Es256(pair) => {
                let signature = pair.sign(&random, token.as_bytes()).map_err(|_| SignError)?;
                token.push('.');
                URL_SAFE_NO_PAD.encode_string(signature, &mut token);
            }
            Pair::Rs256(pair) => {
                // Exactly the modulus's length: the backend panics at any other.
                let mut signature = vec![0; signature_length];
                pair.sign(&RSA_PKCS1_SHA256, &random, token.as_bytes(), &mut signature).map_err(|_| SignError)?;
                token.push('.');
                URL_SAFE_NO_PAD.encode_string(signature, &mut token);
            }
        }
        Ok(token)
    }
}

/// A point in the uncompressed form of SEC 1 §2.3.3: 4, x, y.
fn point(bytes: &[u8]) -> Result<PublicKey, PublicKeyError> {
    let (form, coordinates) = bytes.split_first().ok_or(PublicKeyError::Point)?;
    let (x, y) = coordinates.split_at(coordinates.len() / 2);
    if *form == 4 { PublicKey::p256(x, y) } else { Err(PublicKeyError::Point) }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("jwk", &self.jwk).finish_non_exhaustive()
    }
}
