//! Signs tokens in the compact form (RFC 7515 §7.1) with a key that is parsed once. Never adds or changes a claim.

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

/// Number of bytes of an ES256 signature (RFC 7518 §3.4): the numbers R and S, 32 bytes each.
const ES256_SIGNATURE: usize = 64;

/// Error returned when the cryptographic backend cannot sign a token. No token was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token could not be signed")]
pub struct SignError;

/// A private key, prepared once for signing many tokens, with the public half and the encoded headers of the tokens.
pub struct SigningKey {
    pair: Pair,
    jwk: Jwk,
    /// Header of ID tokens in base64url, followed by a dot.
    prefix: String,
    /// Header of access tokens in base64url, followed by a dot.
    access_prefix: String,
}

enum Pair {
    Es256(EcdsaKeyPair),
    Rs256(RsaKeyPair),
}

impl SigningKey {
    /// Parses a private key and derives the public half of the key.
    ///
    /// # Errors
    /// [`KeyError`] if the bytes are not a key of the stated algorithm, or if some verifier rejects the key's size or
    /// exponent.
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
        // Neither `typ` nor the `kid` has a character that JSON would escape.
        let prefix = |typ: &str| {
            let header = format!(r#"{{"typ":"{typ}","alg":"{alg}","kid":"{}"}}"#, jwk.kid());
            format!("{}.", URL_SAFE_NO_PAD.encode(header))
        };
        let (prefix, access_prefix) = (prefix("JWT"), prefix("at+jwt"));
        Ok(Self { pair, jwk, prefix, access_prefix })
    }

    /// Returns the algorithm that the key signs with.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.jwk.algorithm()
    }

    /// Returns the `kid` of the key, which is its thumbprint (RFC 7638).
    #[must_use]
    pub fn kid(&self) -> &str {
        self.jwk.kid()
    }

    /// Returns the public half of the key, as the published key set contains it.
    #[must_use]
    pub const fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// Signs an ID token with the payload `claims`. `claims` must be the bytes of a JSON object, and become the payload
    /// unchanged.
    ///
    /// # Errors
    /// [`SignError`] if the cryptographic backend fails.
    pub fn sign(&self, claims: &[u8]) -> Result<String, SignError> {
        self.sign_with_header(&self.prefix, claims)
    }

    /// Signs an access token with the payload `claims`. The token's `typ` is `at+jwt` (RFC 9068), so that verifiers of
    /// ID tokens reject the access token.
    ///
    /// # Errors
    /// [`SignError`] if the cryptographic backend fails.
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
    /// Creates a key from the stored bytes of a key, after a check that [`SigningKey`] can sign with the key.
    ///
    /// # Errors
    /// [`KeyError`] if the key is malformed, has another algorithm, or has a size or exponent that some verifier
    /// rejects.
    pub fn from_pkcs8(alg: Algorithm, pkcs8: Zeroizing<Vec<u8>>) -> Result<Self, KeyError> {
        let key = Self::unchecked(alg, pkcs8);
        SigningKey::from_private(&key)?;
        Ok(key)
    }
}

/// Parses an elliptic-curve point in the uncompressed form of SEC 1 §2.3.3: the byte 4, then x, then y.
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
