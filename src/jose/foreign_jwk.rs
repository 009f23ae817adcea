//! Reads other people's public keys (RFC 7517), strictly: a key that is weak, broken, meant for something else or that
//! tells a secret is none. Never looks at `x5c`, `x5u` or any other way to a key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use super::json::require_unique_members;
use super::public_key::{PublicKey, PublicKeyError};
use super::signature_algorithm::SignatureAlgorithm;

/// Members that only private keys have (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// One public key of somebody's, with what it may check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ForeignJwk {
    /// Its name; without one its thumbprint.
    pub(super) kid: String,
    /// Its `alg`, else all that such a key can check.
    pub(super) algorithms: Vec<SignatureAlgorithm>,
    pub(super) key: PublicKey,
}

impl ForeignJwk {
    /// Reads one member of somebody's `keys`.
    ///
    /// # Errors
    /// [`JwkError`].
    pub(super) fn read(value: &Value) -> Result<Self, JwkError> {
        let members = value.as_object().ok_or(JwkError::Malformed("it"))?;
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

/// The members that we look at; all others are left alone (RFC 7517 §4).
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

/// Why somebody's key is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    /// Its `alg` is not one that such a key checks here.
    #[error("its alg is not one that such a key checks: RS256, RS384, RS512 for RSA, ES256 on P-256, ES384 on P-384")]
    Algorithm,
    /// Another key of the set has the same name, so that neither can be meant.
    #[error("its kid stands twice in the set")]
    Duplicate,
    /// A key that we don't check signatures with.
    #[error("only RSA keys and points on P-256 and P-384 are used")]
    Kind,
    /// Not of the form of RFC 7517; the member is named where it is known.
    #[error("{0} is missing or not of the form of RFC 7517")]
    Malformed(&'static str),
    /// Meant for something other than checking signatures.
    #[error("its key_ops do not hold verify")]
    Operations,
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

/// Reads each member of somebody's `keys`, in its order; one that can't be used spoils no other (RFC 7517 §5).
///
/// # Errors
/// [`JwkSetError`] when the document is not a key set at all.
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

/// Those that were read, and the places and reasons of those that were not.
pub(super) fn part<K>(read: Vec<Result<K, JwkError>>) -> (Vec<K>, Vec<UnusableKey>) {
    let (mut keys, mut unusable) = (Vec::new(), Vec::new());
    for (index, key) in read.into_iter().enumerate() {
        match key {
            Ok(key) => keys.push(key),
            Err(reason) => unusable.push(UnusableKey { index, reason }),
        }
    }
    (keys, unusable)
}
