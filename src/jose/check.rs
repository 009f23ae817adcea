//! Checks signatures. jsonwebtoken's `crypto::verify` is the judge; never its `decode`, which believes too much, and
//! never a key that the token brought along.

use std::fmt;
use std::sync::Once;

use jsonwebtoken::DecodingKey;
use jsonwebtoken::crypto::aws_lc;

use super::public_key::Numbers;
use super::{Algorithm, Jwk, PublicKey, UnverifiedToken};

/// A public key held ready to check signatures.
#[derive(Clone)]
pub struct VerificationKey {
    alg: Algorithm,
    key: DecodingKey,
}

impl VerificationKey {
    /// Makes a key ready.
    ///
    /// # Errors
    /// [`CheckError::Key`] when the judge does not take it.
    pub fn new(key: &PublicKey) -> Result<Self, CheckError> {
        choose_judge();
        let decoding = match key.numbers() {
            Numbers::P256 { x, y } => DecodingKey::from_ec_components(x, y),
            Numbers::Rsa { n, e } => DecodingKey::from_rsa_components(n, e),
        };
        Ok(Self { alg: key.algorithm(), key: decoding.map_err(|_| CheckError::Key)? })
    }

    /// Makes a published key ready.
    ///
    /// # Errors
    /// [`CheckError::Key`] when the judge does not take it.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, CheckError> {
        Self::new(jwk.key())
    }

    /// What it checks.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.alg
    }

    /// Is the token signed by this key? Says nothing about its claims, its time or its `typ`.
    ///
    /// # Errors
    /// [`CheckError`] when it is not, or when its header asks for what we don't know.
    pub fn check(&self, token: &UnverifiedToken<'_>) -> Result<(), CheckError> {
        if token.unverified_alg() != self.alg.name() {
            return Err(CheckError::Algorithm { key: self.alg });
        }
        if token.demands_extensions() {
            return Err(CheckError::Extension);
        }
        if self.signed(token.signing_input().as_bytes(), token.signature()) {
            Ok(())
        } else {
            Err(CheckError::Signature)
        }
    }

    /// Is this the signature, in base64url, of these bytes?
    fn signed(&self, input: &[u8], signature: &str) -> bool {
        let alg = match self.alg {
            Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
            Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
        };
        jsonwebtoken::crypto::verify(signature, input, &self.key, alg).unwrap_or(false)
    }
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerificationKey").field("alg", &self.alg).finish_non_exhaustive()
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
    #[error("the token's alg is not the key's, {key}")]
    Algorithm {
        /// The key's.
        key: Algorithm,
    },
    /// `crit` or `b64`.
    #[error("the token's header demands an extension (crit or b64); none is known here")]
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
