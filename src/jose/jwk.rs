//! The published public keys as JSON (RFC 7517), with the members that every reader accepts. Never holds a private
//! member, or a kind of key that some reader rejects.

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::algorithm::Algorithm;
use super::foreign_jwk::{ForeignJwk, JwkError, JwkSetError, UnusableKey, partition, read_keys};
use super::public_key::Numbers;
use super::public_key::{PublicKey, PublicKeyError};

/// A published public key with its `kid`: this issuer's own, or an adopted key of a former issuer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Jwk {
    kid: String,
    alg: Algorithm,
    key: PublicKey,
}

impl Jwk {
    /// Creates the entry of this issuer's own key. Its `kid` is its thumbprint (RFC 7638).
    ///
    /// # Errors
    /// [`PublicKeyError::Published`] if some reader of the key set would reject the kind of key.
    pub fn of(key: PublicKey) -> Result<Self, PublicKeyError> {
        Ok(Self { kid: key.thumbprint(), alg: key.published_algorithm()?, key })
    }

    /// Parses one member of another issuer's `keys` in order to publish it. A key without `kid` gets its thumbprint as
    /// `kid`.
    ///
    /// # Errors
    /// [`JwkError`] if the key is weak, discloses a secret, or is of a kind that must not be published.
    pub fn read(value: &Value) -> Result<Self, JwkError> {
        let ForeignJwk { kid, algorithms, key } = ForeignJwk::read(value)?;
        let alg = key.published_algorithm()?;
        if !algorithms.contains(&alg.into()) {
            return Err(JwkError::Algorithm);
        }
        Ok(Self { kid, alg, key })
    }

    /// Returns the `kid`. For this issuer's own keys it is the thumbprint.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Returns the algorithm of the key.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.alg
    }

    /// Returns the public key.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }
}

/// Members in the published order. Google's upload of key sets rejects any other.
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

/// A published set of public keys (RFC 7517 §5).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct JwkSet {
    /// The keys, in the published order.
    pub keys: Vec<Jwk>,
}

impl JwkSet {
    /// Parses another issuer's key set in order to publish it. Skips unusable keys (RFC 7517 §5). The caller limits the
    /// size of the document.
    ///
    /// # Errors
    /// [`JwkSetError`] if the document is not a key set.
    pub fn read(document: &[u8]) -> Result<(Self, Vec<UnusableKey>), JwkSetError> {
        let (keys, unusable) = partition(read_keys(document, Jwk::read)?);
        Ok((Self { keys }, unusable))
    }
}
