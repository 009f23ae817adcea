//! Checks signatures with jsonwebtoken's `crypto::verify`. Never calls jsonwebtoken's `decode`, which accepts more
//! tokens than this crate does, and never uses a key that the token itself carries.

use std::fmt;
use std::sync::Once;

use jsonwebtoken::DecodingKey;
use jsonwebtoken::crypto::aws_lc;

use super::foreign_jwk::ForeignJwk;
use super::jwk::Jwk;
use super::peek::UnverifiedToken;
use super::public_key::Numbers;
use super::public_key::PublicKey;
use super::signature_algorithm::SignatureAlgorithm;

/// A public key, prepared once for checking many signatures.
#[derive(Clone)]
pub struct VerificationKey {
    algorithms: Vec<SignatureAlgorithm>,
    public: PublicKey,
    decoding: DecodingKey,
}

impl VerificationKey {
    fn new(public: &PublicKey, algorithms: Vec<SignatureAlgorithm>) -> Result<Self, CheckError> {
        install_backend();
        let decoding = match public.numbers() {
            Numbers::P256 { x, y } | Numbers::P384 { x, y } => DecodingKey::from_ec_components(x, y),
            Numbers::Rsa { n, e } => DecodingKey::from_rsa_components(n, e),
        };
        Ok(Self { algorithms, public: public.clone(), decoding: decoding.map_err(|_| CheckError::Key)? })
    }

    /// Prepares a key that this issuer publishes.
    ///
    /// # Errors
    /// [`CheckError::Key`] if jsonwebtoken rejects the key.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, CheckError> {
        Self::new(jwk.key(), vec![jwk.algorithm().into()])
    }

    /// Prepares a key from another issuer's key set.
    pub(super) fn foreign(jwk: &ForeignJwk) -> Result<Self, CheckError> {
        Self::new(&jwk.key, jwk.algorithms.clone())
    }

    /// Returns the algorithms of the signatures that the key may check.
    #[must_use]
    pub fn algorithms(&self) -> &[SignatureAlgorithm] {
        &self.algorithms
    }

    /// Checks that this key signed the token. Does not check the token's claims, times or `typ`.
    ///
    /// # Errors
    /// [`CheckError`] if the signature or `alg` does not fit the key, or if the token's header requires an extension.
    pub fn check(&self, token: &UnverifiedToken<'_>) -> Result<(), CheckError> {
        let named = token.unverified_alg();
        let fitting = self.algorithms.iter().find(|algorithm| algorithm.name() == named);
        let algorithm = *fitting.ok_or(CheckError::Algorithm)?;
        if token.demands_extensions() {
            return Err(CheckError::Extension);
        }
        if self.is_signature(algorithm, token.signing_input().as_bytes(), token.signature()) {
            Ok(())
        } else {
            Err(CheckError::Signature)
        }
    }

    /// Whether `signature`, in base64url, is this key's signature of `input`.
    fn is_signature(&self, algorithm: SignatureAlgorithm, input: &[u8], signature: &str) -> bool {
        jsonwebtoken::crypto::verify(signature, input, &self.decoding, algorithm.to_jsonwebtoken()).unwrap_or(false)
    }
}

impl PartialEq for VerificationKey {
    fn eq(&self, other: &Self) -> bool {
        self.algorithms == other.algorithms && self.public == other.public
    }
}

impl Eq for VerificationKey {}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerificationKey").field("algorithms", &self.algorithms).finish_non_exhaustive()
    }
}

/// Installs jsonwebtoken's aws-lc backend for this process, before the first signature is checked.
///
/// Without an installed backend, jsonwebtoken panics if another crate of the program enables jsonwebtoken's second
/// backend. If the program itself installed a backend, that backend stays.
fn install_backend() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let _already_installed = aws_lc::DEFAULT_PROVIDER.install_default();
    });
}

/// Error returned when a key cannot be prepared, or when a token's signature is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// The `alg` of the token's header is not an algorithm of the key.
    #[error("the token's alg does not fit the key")]
    Algorithm,
    /// The token's header requires an extension (`crit`, `b64` or `zip`), and none is supported.
    #[error("the token's header requires an extension (crit, b64 or zip); none is supported")]
    Extension,
    /// The crate `jsonwebtoken` rejects the key.
    #[error("the key cannot check signatures")]
    Key,
    /// The token's signature is malformed, or was made by another key or over another text.
    #[error("the token's signature does not match the key")]
    Signature,
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
