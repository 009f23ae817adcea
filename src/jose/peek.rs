//! Parses a token without verifying it. Strict about the form; never checks a signature.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use super::json::{JsonProblem, require_unique_members};

/// Maximum bytes of a token. Longer ones are rejected before they are parsed.
pub const LONGEST_TOKEN: usize = 16 * 1024;

/// A parsed token in the compact form (RFC 7515 §7.1) whose signature was not checked.
pub struct UnverifiedToken<'a> {
    signing_input: &'a str,
    signature: &'a str,
    header: Header,
    payload: Vec<u8>,
}

impl<'a> UnverifiedToken<'a> {
    /// Returns `alg` of the header.
    #[must_use]
    pub fn unverified_alg(&self) -> &str {
        &self.header.alg
    }

    /// Returns `kid` of the header.
    #[must_use]
    pub fn unverified_kid(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// Returns `typ` of the header.
    #[must_use]
    pub fn unverified_typ(&self) -> Option<&str> {
        self.header.typ.as_deref()
    }

    /// Returns whether the header requires an extension (`crit`, RFC 7515 §4.1.11), an unencoded payload (`b64`,
    /// RFC 7797) or a compressed one (`zip`, RFC 7516 §4.1.3). None is supported.
    #[must_use]
    pub const fn demands_extensions(&self) -> bool {
        self.header.crit.is_some() || self.header.b64.is_some() || self.header.zip.is_some()
    }

    /// Returns the payload: the bytes of one JSON object without duplicate members.
    #[must_use]
    pub fn unverified_payload(&self) -> &[u8] {
        &self.payload
    }

    /// Returns the bytes that were signed: header, dot and payload, as they were sent.
    #[must_use]
    pub const fn signing_input(&self) -> &'a str {
        self.signing_input
    }

    /// Returns the signature in base64url.
    pub(super) const fn signature(&self) -> &'a str {
        self.signature
    }
}

impl fmt::Debug for UnverifiedToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnverifiedToken([secret])")
    }
}

/// The members of the header that are read. `jwk`, `jku`, `x5u` and `x5c` are ignored, because a token must not choose
/// the key that checks it.
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

/// Reads a member that is present. `null` is not a value.
fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// A part of a token in the compact form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum Part {
    /// The header, which is the first part.
    Header,
    /// The payload, which is the second part.
    Payload,
    /// The signature, which is the third part.
    Signature,
}

/// Error returned for a text that is not a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PeekError {
    /// A part has a duplicate member.
    #[error("the token's {0} has a duplicate member")]
    Duplicate(Part),
    /// A part has padding, another alphabet, white space or non-zero trailing bits.
    #[error("the token's {0} is not canonical base64url without padding")]
    Encoding(Part),
    /// A member of the header is missing or has the wrong type.
    #[error("the token's header has no string alg, or a kid or typ that is not a string")]
    Header,
    /// A part is not one JSON object.
    #[error("the token's {0} is not a JSON object")]
    Json(Part),
    /// The text does not have three parts.
    #[error("the token does not have three non-empty parts separated by dots")]
    Parts,
    /// The text is longer than [`LONGEST_TOKEN`].
    #[error("the token is longer than 16384 bytes")]
    TooLong,
}

/// Parses a token without checking its signature.
///
/// # Errors
/// [`PeekError`] if the text is not a token in the strictest reading of RFC 7515 and RFC 7519.
pub fn peek(token: &str) -> Result<UnverifiedToken<'_>, PeekError> {
    if token.len() > LONGEST_TOKEN {
        return Err(PeekError::TooLong);
    }
    let (signing_input, signature) = token.rsplit_once('.').ok_or(PeekError::Parts)?;
    let (header, payload) = signing_input.split_once('.').ok_or(PeekError::Parts)?;
    if [header, payload, signature].iter().any(|part| part.is_empty()) || payload.contains('.') {
        return Err(PeekError::Parts);
    }
    // The decoder accepts one spelling of each value: no padding, no non-zero trailing bits.
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
