//! The public keys that this issuer publishes, as JSON (RFC 7517) with the members that every verifier accepts. Never
//! publishes a private member, or a type of key that some verifier rejects.

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::algorithm::Algorithm;
use super::foreign_jwk::{ForeignJwk, JwkError, JwkSetError, UnusableKey, partition, read_keys};
use super::public_key::Numbers;
use super::public_key::{PublicKey, PublicKeyError};

/// A published public key with its `kid`: a key of this issuer, or a key adopted from a former issuer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Jwk {
    kid: String,
    alg: Algorithm,
    key: PublicKey,
}

impl Jwk {
    /// Creates the JWK of this issuer's own key. The `kid` is the key's thumbprint (RFC 7638).
    ///
    /// # Errors
    /// [`PublicKeyError::Published`] if some verifier would reject the key's type, size or exponent.
    pub fn of(key: PublicKey) -> Result<Self, PublicKeyError> {
        Ok(Self { kid: key.thumbprint(), alg: key.published_algorithm()?, key })
    }

    /// Parses one key of another issuer's key set, so that this issuer can publish the key. A key without `kid` gets
    /// the key's thumbprint as `kid`.
    ///
    /// # Errors
    /// [`JwkError`] if the key is weak, discloses a secret, or is one that some verifier would reject.
    pub fn read(value: &Value) -> Result<Self, JwkError> {
        let ForeignJwk { kid, algorithms, key } = ForeignJwk::read(value)?;
        let alg = key.published_algorithm()?;
        if !algorithms.contains(&alg.into()) {
            return Err(JwkError::Algorithm);
        }
        Ok(Self { kid, alg, key })
    }

    /// Returns the key's `kid`, which is the thumbprint if the key is this issuer's own.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Returns the value of `alg`: the algorithm of the key's signatures.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.alg
    }

    /// Returns the public key without its `kid` and `alg`.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }
}

/// The members of a published JWK, in the published order. Google's upload of key sets rejects any other member.
#[derive(Serialize)]
struct Members<'a> {
    kty: &'static str,
    #[serde(rename = "use")]
    usage: &'static str,
    alg: Algorithm,
    kid: &'a str,
    #[serde(flatten)]
    numbers: NumberMembers<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum NumberMembers<'a> {
    Ec { crv: &'static str, x: &'a str, y: &'a str },
    Rsa { n: &'a str, e: &'a str },
}

impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (kty, numbers) = match self.key.numbers() {
            Numbers::P256 { x, y } => ("EC", NumberMembers::Ec { crv: "P-256", x, y }),
            Numbers::P384 { x, y } => ("EC", NumberMembers::Ec { crv: "P-384", x, y }),
            Numbers::Rsa { n, e } => ("RSA", NumberMembers::Rsa { n, e }),
        };
        Members { kty, usage: "sig", alg: self.algorithm(), kid: &self.kid, numbers }.serialize(serializer)
    }
}

/// The set of public keys that this issuer publishes (RFC 7517 §5).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct JwkSet {
    /// The public keys, in the published order.
    pub keys: Vec<Jwk>,
}

impl JwkSet {
    /// Parses another issuer's key set, so that this issuer can publish the keys in it. Skips unusable keys (RFC 7517
    /// §5) and returns them with the reasons. Code that calls this function must limit the size of the document.
    ///
    /// # Errors
    /// [`JwkSetError`] if the document is not a key set.
    pub fn read(document: &[u8]) -> Result<(Self, Vec<UnusableKey>), JwkSetError> {
        let (keys, unusable) = partition(read_keys(document, Jwk::read)?);
        Ok((Self { keys }, unusable))
    }
}
