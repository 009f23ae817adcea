//! The public keys that we publish, as JSON (RFC 7517): exactly the members that every reader takes. Never holds a
//! private member, or a kind of key that some reader refuses.

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::algorithm::Algorithm;
use super::foreign_jwk::{ForeignJwk, JwkError, JwkSetError, UnusableKey, part, read_keys};
use super::public_key::Numbers;
use super::public_key::{PublicKey, PublicKeyError};

/// One public key of ours, or one that we publish for another's sake, with the name that tokens call it by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Jwk {
    kid: String,
    alg: Algorithm,
    key: PublicKey,
}

impl Jwk {
    /// A key of ours: its `kid` is its thumbprint (RFC 7638).
    ///
    /// # Errors
    /// [`PublicKeyError::Published`] when it is of a kind that some reader of our key set would refuse.
    pub fn of(key: PublicKey) -> Result<Self, PublicKeyError> {
        Ok(Self { kid: key.thumbprint(), alg: key.published_algorithm()?, key })
    }

    /// Reads one member of somebody's `keys` that is to be published by us. Without a `kid` the key goes by its
    /// thumbprint.
    ///
    /// # Errors
    /// [`JwkError`] when the key is weak, tells a secret, or is of a kind that we don't publish.
    pub fn read(value: &Value) -> Result<Self, JwkError> {
        let ForeignJwk { kid, algorithms, key } = ForeignJwk::read(value)?;
        let alg = key.published_algorithm()?;
        if !algorithms.contains(&alg.into()) {
            return Err(JwkError::Algorithm);
        }
        Ok(Self { kid, alg, key })
    }

    /// The name of the key; of one of ours, its thumbprint.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// What the key checks.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.alg
    }

    /// The key itself.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }
}

/// Members in the order in which they are published. Google's upload refuses any other.
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

/// A set of public keys (RFC 7517 §5).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct JwkSet {
    /// The keys, in the order in which they are published.
    pub keys: Vec<Jwk>,
}

impl JwkSet {
    /// Reads somebody's key set that is to be published by us. A key that we can't use spoils no other (RFC 7517 §5);
    /// how large the document may be is for whoever fetched it to say.
    ///
    /// # Errors
    /// [`JwkSetError`] when the document is not a key set at all.
    pub fn read(document: &[u8]) -> Result<(Self, Vec<UnusableKey>), JwkSetError> {
        let (keys, unusable) = part(read_keys(document, Jwk::read)?);
        Ok((Self { keys }, unusable))
    }
}
