//! Signs tokens in the compact form (RFC 7515 §7.1) with a key that is parsed once. Never chooses a claim.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::algorithm::Algorithm;
use super::jwk::Jwk;
use super::private_key::{KeyError, PrivateKey};
use super::public_key::{PublicKey, PublicKeyError};

/// Bytes of a signature of ES256 (RFC 7518 §3.4): R and S, 32 each.
const ES256_SIGNATURE: usize = 64;

/// Error returned when the backend cannot sign. No token was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token could not be signed")]
pub struct SignError;

/// A private key that is ready to sign, with its public half and the encoded headers of its tokens.
pub struct SigningKey {
    pair: Pair,
    jwk: Jwk,
    /// Header of ID tokens in base64url, with the dot after it.
    prefix: String,
    /// Header of access tokens in base64url, with the dot after it.
    access_prefix: String,
}

enum Pair {
    Es256(EcdsaKeyPair),
    Rs256(RsaKeyPair),
}

impl SigningKey {
    /// Parses a private key and derives its public half.
    ///
    /// # Errors
    /// [`KeyError`] if the key is not one of its algorithm, or has a size or exponent that other verifiers reject.
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

    /// Returns the algorithm of the signatures.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.jwk.algorithm()
    }

    /// Returns the `kid` of the key, which is its thumbprint (RFC 7638).
    #[must_use]
    pub fn kid(&self) -> &str {
        self.jwk.kid()
    }

    /// Returns the public half as the key set publishes it.
    #[must_use]
    pub const fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// Signs an ID token with the payload `claims`, which must be the bytes of a JSON object. Does not change them.
    ///
    /// # Errors
    /// [`SignError`] if the backend fails.
    pub fn sign(&self, claims: &[u8]) -> Result<String, SignError> {
        self.sign_with_header(&self.prefix, claims)
    }

    /// Signs an access token with the payload `claims`. Its `typ` is `at+jwt` (RFC 9068), so that verifiers of ID tokens
    /// reject it.
    ///
    /// # Errors
    /// [`SignError`] if the backend fails.
    pub fn sign_access_token(&self, claims: &[u8]) -> Result<String, SignError> {
        self.sign_with_header(&self.access_prefix, claims)
    }

    fn sign_with_header(&self, prefix: &str, claims: &[u8]) -> Result<String, SignError> {
        let signature_length = match &self.pair {
            Pair::Es256(_) => ES256_SIGNATURE,
            Pair::Rs256(pair) => pair.public_modulus_len(),
        };
        let length = prefix.len() + (claims.len() + signature_length).div_ceil(3) * 4 + 4;
        let mut token = String::with_capacity(length);
        token.push_str(prefix);
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        // aws-lc draws random numbers itself and ignores this parameter, which exists for compatibility with ring.
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Es256(pair) => {
                let signature = pair.sign(&random, token.as_bytes()).map_err(|_| SignError)?;
                token.push('.');
                URL_SAFE_NO_PAD.encode_string(signature, &mut token);
            }
            Pair::Rs256(pair) => {
                // The backend panics unless the buffer has the length of the modulus.
                let mut signature = vec![0; signature_length];
                pair.sign(&RSA_PKCS1_SHA256, &random, token.as_bytes(), &mut signature).map_err(|_| SignError)?;
                token.push('.');
                URL_SAFE_NO_PAD.encode_string(signature, &mut token);
            }
        }
        Ok(token)
    }
}

impl PrivateKey {
    /// Reads a stored key, if [`SigningKey`] can sign with it.
    ///
    /// # Errors
    /// [`KeyError`] if the key is malformed, of another algorithm, or of a size or exponent that other verifiers reject.
    pub fn from_pkcs8(alg: Algorithm, pkcs8: Zeroizing<Vec<u8>>) -> Result<Self, KeyError> {
        let key = Self::unchecked(alg, pkcs8);
        SigningKey::from_private(&key)?;
        Ok(key)
    }
}

/// Parses a point in the uncompressed form of SEC 1 §2.3.3: 4, x, y.
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
