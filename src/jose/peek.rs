//! Parses a token without verifying the token. Rejects any deviation from the compact form, but never checks a
//! signature.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use super::json::{JsonProblem, require_unique_members};

/// Maximum bytes of a token. A longer token is rejected before it is parsed.
pub const LONGEST_TOKEN: usize = 16 * 1024;

/// A parsed token in the compact form (RFC 7515 §7.1) whose signature was not checked.
pub struct UnverifiedToken<'a> {
    signing_input: &'a str,
    signature: &'a str,
    header: Header,
    payload: Vec<u8>,
}

impl<'a> UnverifiedToken<'a> {
    /// Returns `alg` of the token's header.
    #[must_use]
    pub fn unverified_alg(&self) -> &str {
        &self.header.alg
    }

    /// Returns `kid` of the token's header.
    #[must_use]
    pub fn unverified_kid(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// Returns `typ` of the token's header.
    #[must_use]
    pub fn unverified_typ(&self) -> Option<&str> {
        self.header.typ.as_deref()
    }

    /// Returns whether the token's header requires an extension (`crit`, RFC 7515 §4.1.11), an unencoded payload
    /// (`b64`, RFC 7797) or a compressed payload (`zip`, RFC 7516 §4.1.3). None of the three is supported.
    #[must_use]
    pub const fn demands_extensions(&self) -> bool {
        self.header.crit.is_some() || self.header.b64.is_some() || self.header.zip.is_some()
    }

    /// Returns the token's payload: the bytes of a JSON object without duplicate members.
    #[must_use]
    pub fn unverified_payload(&self) -> &[u8] {
        &self.payload
    }

    /// Returns the part of the token that was signed: the header, a dot and the payload, as received.
    #[must_use]
    pub const fn signing_input(&self) -> &'a str {
        self.signing_input
    }

    /// Returns the token's signature in base64url.
    pub(super) const fn signature(&self) -> &'a str {
        self.signature
    }
}

impl fmt::Debug for UnverifiedToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnverifiedToken([secret])")
    }
}

/// The members of a token's header that are read. `jwk`, `jku`, `x5u` and `x5c` are ignored, because a token must not
/// choose the key that checks the token.
#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default, deserialize_with = "present")]
    kid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    typ: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    b64: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    zip: Option<Value>,
}

/// Reads an optional member that is present. `null` counts as a value, and not as an absent member.
fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// One of the three parts of a token in the compact form (RFC 7515 §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum Part {
    /// The token's header, which is the first part.
    Header,
    /// The token's payload, which is the second part.
    Payload,
    /// The token's signature, which is the third part.
    Signature,
}

/// Error returned for a text that is not a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PeekError {
    /// The token's header or payload has a duplicate member.
    #[error("the token's {0} has a duplicate member")]
    Duplicate(Part),
    /// A part of the token is not base64url, or has padding, white space or non-zero trailing bits.
    #[error("the token's {0} is not canonical base64url without padding")]
    Encoding(Part),
    /// A member of the token's header is missing or has the wrong type.
    #[error("the token's header has no alg, or its alg, kid or typ is not a string")]
    Header,
    /// The token's header or payload is not a JSON object.
    #[error("the token's {0} is not a JSON object")]
    Json(Part),
    /// The text does not have three non-empty parts, separated by dots.
    #[error("the token does not have three non-empty parts separated by dots")]
    Parts,
    /// The text is longer than [`LONGEST_TOKEN`].
    #[error("the token is longer than {LONGEST_TOKEN} bytes")]
    TooLong,
}

/// Parses a token without checking its signature.
///
/// # Errors
/// [`PeekError`] if the text is not a token by the strictest reading of RFC 7515 and RFC 7519.
pub fn peek(token: &str) -> Result<UnverifiedToken<'_>, PeekError> {
    if token.len() > LONGEST_TOKEN {
        return Err(PeekError::TooLong);
    }
    let (signing_input, signature) = token.rsplit_once('.').ok_or(PeekError::Parts)?;
    let (header, payload) = signing_input.split_once('.').ok_or(PeekError::Parts)?;
    if [header, payload, signature].iter().any(|part| part.is_empty()) || payload.contains('.') {
        return Err(PeekError::Parts);
    }
    // The decoder accepts a single spelling of each value: no padding, no non-zero trailing bits.
    URL_SAFE_NO_PAD.decode(signature).map_err(|_| PeekError::Encoding(Part::Signature))?;
    let header = object(Part::Header, header)?;
    let header = serde_json::from_slice(&header).map_err(|_| PeekError::Header)?;
    let payload = object(Part::Payload, payload)?;
    Ok(UnverifiedToken { signing_input, signature, header, payload })
}

fn object(part: Part, text: &str) -> Result<Vec<u8>, PeekError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| PeekError::Encoding(part))?;
    require_unique_members(&bytes).map_err(|problem| match problem {
        JsonProblem::Duplicate => PeekError::Duplicate(part),
        JsonProblem::Syntax | JsonProblem::Type => PeekError::Json(part),
    })?;
    Ok(bytes)
}
