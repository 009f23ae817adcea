//! Checks signatures. jsonwebtoken's `crypto::verify` is the judge; never its `decode`, which believes too much, and
//! never a key that the token brought along.

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

/// A public key held ready to check signatures.
#[derive(Clone)]
pub struct VerificationKey {
    algorithms: Vec<SignatureAlgorithm>,
    public: PublicKey,
    held: DecodingKey,
}

impl VerificationKey {
    /// Makes a key ready to check signatures of these algorithms.
    fn new(public: &PublicKey, algorithms: Vec<SignatureAlgorithm>) -> Result<Self, CheckError> {
        choose_judge();
        let held = match public.numbers() {
            Numbers::P256 { x, y } | Numbers::P384 { x, y } => DecodingKey::from_ec_components(x, y),
            Numbers::Rsa { n, e } => DecodingKey::from_rsa_components(n, e),
        };
        Ok(Self { algorithms, public: public.clone(), held: held.map_err(|_| CheckError::Key)? })
    }

    /// Makes a key that we publish ready.
    ///
    /// # Errors
    /// [`CheckError::Key`] when the judge does not take it.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, CheckError> {
        Self::new(jwk.key(), vec![jwk.algorithm().into()])
    }

    /// Makes somebody's key ready.
    pub(super) fn foreign(jwk: &ForeignJwk) -> Result<Self, CheckError> {
        Self::new(&jwk.key, jwk.algorithms.clone())
    }

    /// What it checks.
    #[must_use]
    pub fn algorithms(&self) -> &[SignatureAlgorithm] {
        &self.algorithms
    }

    /// Is the token signed by this key? Says nothing about its claims, its time or its `typ`.
    ///
    /// # Errors
    /// [`CheckError`] when it is not, or when its header asks for what we don't know.
    pub fn check(&self, token: &UnverifiedToken<'_>) -> Result<(), CheckError> {
        let named = token.unverified_alg();
        let fitting = self.algorithms.iter().find(|algorithm| algorithm.name() == named);
        let algorithm = *fitting.ok_or(CheckError::Algorithm)?;
        if token.demands_extensions() {
            return Err(CheckError::Extension);
        }
        if self.signed(algorithm, token.signing_input().as_bytes(), token.signature()) {
            Ok(())
        } else {
            Err(CheckError::Signature)
        }
    }

    /// Is this the signature, in base64url, of these bytes?
    fn signed(&self, algorithm: SignatureAlgorithm, input: &[u8], signature: &str) -> bool {
        jsonwebtoken::crypto::verify(signature, input, &self.held, algorithm.to_jsonwebtoken()).unwrap_or(false)
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

/// Settles which backend of jsonwebtoken judges in this process, before it is asked.
///
/// Left to itself it panics where another crate of the program switched its second backend on. A program that has
/// installed a backend of its own keeps it: then there is nothing to settle.
fn choose_judge() {
    static CHOSEN: Once = Once::new();
    CHOSEN.call_once(|| {
        let _installed_by_the_program = aws_lc::DEFAULT_PROVIDER.install_default();
    });
}

/// Why a token is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// The header names another algorithm than the key's.
    #[error("the token's alg is not one that the key checks")]
    Algorithm,
    /// `crit`, `b64` or `zip`.
    #[error("the token's header demands an extension (crit, b64 or zip); none is known here")]
    Extension,
    /// The key can't be used.
    #[error("the key can't be used")]
    Key,
    /// Another key's, another text's, or malformed.
    #[error("the token's signature is not that of the key")]
    Signature,
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
