//! Public keys as JSON (RFC 7517). What goes out has exactly the members that every reader takes; what comes in is
//! taken strictly. Never holds a private member.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::json::require_unique_members;
use super::public_key::Numbers;
use super::{Algorithm, PublicKey, PublicKeyError};

/// Members that only private keys have (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// One public key with the name that tokens call it by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Jwk {
    kid: String,
    key: PublicKey,
}

impl Jwk {
    /// A key of ours: its `kid` is its thumbprint (RFC 7638).
    #[must_use]
    pub fn of(key: PublicKey) -> Self {
        Self { kid: key.thumbprint(), key }
    }

    /// Reads one member of somebody's `keys`. Without a `kid` the key goes by its thumbprint.
    ///
    /// # Errors
    /// [`JwkError`] when the key is of a kind that we don't check with, is weak, or tells a secret.
    pub fn read(value: &Value) -> Result<Self, JwkError> {
        let members = value.as_object().ok_or(JwkError::Malformed("it"))?;
        if PRIVATE_MEMBERS.iter().any(|name| members.contains_key(*name)) {
            return Err(JwkError::Private);
        }
        let read = ForeignJwk::deserialize(value).map_err(|_| JwkError::Malformed("a member"))?;
        if read.usage.is_some_and(|usage| usage != "sig") {
            return Err(JwkError::Use);
        }
        let key = match (read.kty.as_str(), read.crv.as_deref()) {
            ("RSA", _) => PublicKey::rsa(&number("n", read.n.as_deref())?, &number("e", read.e.as_deref())?)?,
            ("EC", Some("P-256")) => {
                PublicKey::p256(&number("x", read.x.as_deref())?, &number("y", read.y.as_deref())?)?
            }
            _ => return Err(JwkError::Kind),
        };
        if read.alg.is_some_and(|alg| alg != key.algorithm().name()) {
            return Err(JwkError::Kind);
        }
        Ok(match read.kid {
            Some(kid) => Self { kid, key },
            None => Self::of(key),
        })
    }

    /// The name of the key; of one of ours, its thumbprint.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// What the key checks.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.key.algorithm()
    }

    /// The key itself.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }
}

/// Why somebody's key is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    /// A key that we don't check signatures with.
    #[error("only RSA keys for RS256 and P-256 keys for ES256 are used")]
    Kind,
    /// Not of the form of RFC 7517; the member is named where it is known.
    #[error("{0} is missing or not of the form of RFC 7517")]
    Malformed(&'static str),
    /// A secret where only public numbers belong: whoever reads the set can sign.
    #[error("holds a private member")]
    Private,
    /// Weak or broken.
    #[error(transparent)]
    Public(#[from] PublicKeyError),
    /// Meant for encryption.
    #[error("its use is not sig")]
    Use,
}

/// The members that we look at; all others are left alone (RFC 7517 §4).
#[derive(Deserialize)]
struct ForeignJwk {
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

fn number(name: &'static str, text: Option<&str>) -> Result<Vec<u8>, JwkError> {
    text.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).ok_or(JwkError::Malformed(name))
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
    P256 { crv: &'static str, x: &'a str, y: &'a str },
    Rsa { n: &'a str, e: &'a str },
}

impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (kty, numbers) = match self.key.numbers() {
            Numbers::P256 { x, y } => ("EC", NumberMembers::P256 { crv: "P-256", x, y }),
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

/// A member of somebody's `keys` that was passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusableKey {
    /// Its place in `keys`, from 0.
    pub index: usize,
    /// Why.
    pub reason: JwkError,
}

/// A document that is no key set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a JSON object with a list `keys` and without repeated members")]
pub struct JwkSetError;

impl JwkSet {
    /// Reads somebody's key set. A key that we can't use spoils no other (RFC 7517 §5); how large the document may be
    /// is for whoever fetched it to say.
    ///
    /// # Errors
    /// [`JwkSetError`] when the document is not a key set at all.
    pub fn read(document: &[u8]) -> Result<(Self, Vec<UnusableKey>), JwkSetError> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Value>,
        }
        require_unique_members(document).map_err(|_| JwkSetError)?;
        let Document { keys: values } = serde_json::from_slice(document).map_err(|_| JwkSetError)?;
        let (mut set, mut unusable) = (Self::default(), Vec::new());
        for (index, value) in values.iter().enumerate() {
            match Jwk::read(value) {
                Ok(jwk) => set.keys.push(jwk),
                Err(reason) => unusable.push(UnusableKey { index, reason }),
            }
        }
        Ok((set, unusable))
    }
}
