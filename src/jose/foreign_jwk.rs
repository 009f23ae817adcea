//! Parses the public keys of other issuers (RFC 7517). Rejects a key that is weak or malformed, is meant for another
//! use, or discloses a secret. Never reads a key from `x5c` or `x5u`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use super::json::require_unique_members;
use super::public_key::{PublicKey, PublicKeyError};
use super::signature_algorithm::SignatureAlgorithm;

/// Members of a JWK that only private and symmetric keys have (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A public key of another issuer, with the algorithms of the signatures that the key may check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ForeignJwk {
    /// The key's `kid`. A key without `kid` gets the thumbprint of the key.
    pub(super) kid: String,
    /// The key's `alg`. A key without `alg` gets every algorithm that fits the type of the key.
    pub(super) algorithms: Vec<SignatureAlgorithm>,
    pub(super) key: PublicKey,
}

impl ForeignJwk {
    /// Parses one key of the array `keys` in another issuer's key set.
    ///
    /// # Errors
    /// [`JwkError`] says why the key cannot be used.
    pub(super) fn read(value: &Value) -> Result<Self, JwkError> {
        let members = value.as_object().ok_or(JwkError::Malformed("the key"))?;
        if PRIVATE_MEMBERS.iter().any(|name| members.contains_key(*name)) {
            return Err(JwkError::Private);
        }
        let read = Members::deserialize(value).map_err(|_| JwkError::Malformed("a member"))?;
        if read.usage.is_some_and(|usage| usage != "sig") {
            return Err(JwkError::Use);
        }
        if read.key_ops.is_some_and(|operations| !operations.iter().any(|operation| operation == "verify")) {
            return Err(JwkError::Operations);
        }
        let key = match (read.kty.as_str(), read.crv.as_deref()) {
            ("RSA", _) => PublicKey::rsa(&number("n", read.n.as_deref())?, &number("e", read.e.as_deref())?)?,
            ("EC", Some("P-256")) => {
                PublicKey::p256(&number("x", read.x.as_deref())?, &number("y", read.y.as_deref())?)?
            }
            ("EC", Some("P-384")) => {
                PublicKey::p384(&number("x", read.x.as_deref())?, &number("y", read.y.as_deref())?)?
            }
            _ => return Err(JwkError::Kind),
        };
        let algorithms = match read.alg {
            None => key.algorithms().to_vec(),
            Some(named) => {
                let fitting = key.algorithms().iter().find(|fitting| fitting.name() == named);
                vec![*fitting.ok_or(JwkError::Algorithm)?]
            }
        };
        Ok(Self { kid: read.kid.unwrap_or_else(|| key.thumbprint()), algorithms, key })
    }
}

/// The members of a JWK that are read. All other members are ignored (RFC 7517 §4).
#[derive(Deserialize)]
struct Members {
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
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

/// Error returned for a key of another issuer that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    /// The key's `alg` does not fit the key's type and curve.
    #[error("unsupported `alg` for this key: use RS256, RS384 or RS512 for RSA, ES256 for P-256, ES384 for P-384")]
    Algorithm,
    /// Two keys of the set have the same `kid`, so that a token could mean either key.
    #[error("duplicate `kid` in the key set")]
    Duplicate,
    /// The key's type or curve is unsupported (`kty`, `crv`).
    #[error("unsupported key: use an RSA key, or an EC key on P-256 or P-384")]
    Kind,
    /// A member of the key is missing or malformed (RFC 7517). Names the member, if known.
    #[error("{0} is missing or malformed (RFC 7517)")]
    Malformed(&'static str),
    /// The key's `key_ops` does not allow checking signatures.
    #[error("`key_ops` does not include `verify`")]
    Operations,
    /// The key has a private member, so that everyone who reads the key set can sign with the key.
    #[error("the key contains a private member")]
    Private,
    /// The public key is weak or malformed.
    #[error(transparent)]
    Public(#[from] PublicKeyError),
    /// The key's `use` is another than `sig`, such as `enc` for encryption.
    #[error("`use` is not `sig`")]
    Use,
}

/// A key of another issuer's key set that was skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusableKey {
    /// Index of the skipped key in the array `keys`, from 0.
    pub index: usize,
    /// Reason for which the skipped key cannot be used.
    pub reason: JwkError,
}

/// Error returned for a document that is not a JWK set (RFC 7517 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a JSON object with an array `keys` and without duplicate members")]
pub struct JwkSetError;

/// Parses each key of the array `keys` in the document, in order. An unusable key does not affect the other keys (RFC
/// 7517 §5).
///
/// # Errors
/// [`JwkSetError`] if the document is not a key set.
pub(super) fn read_keys<K>(
    document: &[u8],
    read: impl Fn(&Value) -> Result<K, JwkError>,
) -> Result<Vec<Result<K, JwkError>>, JwkSetError> {
    #[derive(Deserialize)]
    struct Document {
        keys: Vec<Value>,
    }
    require_unique_members(document).map_err(|_| JwkSetError)?;
    let Document { keys } = serde_json::from_slice(document).map_err(|_| JwkSetError)?;
    Ok(keys.iter().map(read).collect())
}

/// Separates the usable keys from the unusable keys.
pub(super) fn partition<K>(read: Vec<Result<K, JwkError>>) -> (Vec<K>, Vec<UnusableKey>) {
    let (mut keys, mut unusable) = (Vec::new(), Vec::new());
    for (index, key) in read.into_iter().enumerate() {
        match key {
            Ok(key) => keys.push(key),
            Err(reason) => unusable.push(UnusableKey { index, reason }),
        }
    }
    (keys, unusable)
}
