//! Checks signatures with jsonwebtoken's `crypto::verify`. Never calls its `decode`, which accepts more than this crate
//! does, and never uses a key that the token itself carries.

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

/// A public key that is ready to check signatures.
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

    /// Prepares a published key of this issuer.
    ///
    /// # Errors
    /// [`CheckError::Key`] if jsonwebtoken rejects the key.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, CheckError> {
        Self::new(jwk.key(), vec![jwk.algorithm().into()])
    }

    /// Prepares a key of another issuer.
    pub(super) fn foreign(jwk: &ForeignJwk) -> Result<Self, CheckError> {
        Self::new(&jwk.key, jwk.algorithms.clone())
    }

    /// Returns the algorithms that the key may check.
    #[must_use]
    pub fn algorithms(&self) -> &[SignatureAlgorithm] {
        &self.algorithms
    }

    /// Checks that this key signed the token. Does not check claims, times or `typ`.
    ///
    /// # Errors
    /// [`CheckError`] if the signature is wrong, or if the header requires an extension.
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

/// Installs jsonwebtoken's aws-lc backend for this process, before its first use.
///
/// Without an installed backend jsonwebtoken panics if another crate of the program enables its second one. A backend
/// that the program itself installed stays.
fn install_backend() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let _already_installed = aws_lc::DEFAULT_PROVIDER.install_default();
    });
}

/// Error returned when a token's signature is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// The header names an algorithm that is not the key's.
    #[error("the token's alg does not fit the key")]
    Algorithm,
    /// The header requires an extension: `crit`, `b64` or `zip`.
    #[error("the token's header requires an extension (crit, b64 or zip); none is supported")]
    Extension,
    /// jsonwebtoken rejects the key.
    #[error("the key cannot check signatures")]
    Key,
    /// The signature is malformed, or was made by another key or over another text.
    #[error("the token's signature does not match the key")]
    Signature,
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
