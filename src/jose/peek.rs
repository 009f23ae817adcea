//! Takes a token apart without believing it: strict about form, silent about truth. Never checks a signature.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use super::json::{JsonProblem, require_unique_members};

/// Longer tokens are refused unread, in bytes.
pub const LONGEST_TOKEN: usize = 16 * 1024;

/// A token in the compact form (RFC 7515 §7.1) of which nothing is known to be true.
pub struct UnverifiedToken<'a> {
    signing_input: &'a str,
    signature: &'a str,
    header: Header,
    payload: Vec<u8>,
}

impl<'a> UnverifiedToken<'a> {
    /// `alg` of the header, whatever it says.
    #[must_use]
    pub fn unverified_alg(&self) -> &str {
        &self.header.alg
    }

    /// `kid` of the header.
    #[must_use]
    pub fn unverified_kid(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// `typ` of the header.
    #[must_use]
    pub fn unverified_typ(&self) -> Option<&str> {
        self.header.typ.as_deref()
    }

    /// Does the header name extensions that its reader must know (`crit`, RFC 7515 §4.1.11), a payload that is not
    /// base64url (`b64`, RFC 7797) or a compressed one (`zip`, RFC 7516 §4.1.3)? We know none.
    #[must_use]
    pub const fn demands_extensions(&self) -> bool {
        self.header.crit.is_some() || self.header.b64.is_some() || self.header.zip.is_some()
    }

    /// The payload: the bytes of one JSON object in which no member stands twice.
    #[must_use]
    pub fn unverified_payload(&self) -> &[u8] {
        &self.payload
    }

    /// What was signed: header, dot and payload as they were sent.
    #[must_use]
    pub const fn signing_input(&self) -> &'a str {
        self.signing_input
    }

    /// The signature in base64url.
    pub(super) const fn signature(&self) -> &'a str {
        self.signature
    }
}

impl fmt::Debug for UnverifiedToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnverifiedToken([secret])")
    }
}

/// The members of the header that anything depends on. `jwk`, `jku`, `x5u` and `x5c` are never looked at: a token does
/// not say which key it is to be checked with.
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

/// A member that is there has a value; `null` is none.
fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// A part of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The first part.
    Header,
    /// The second part.
    Payload,
    /// The third part.
    Signature,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Payload => "payload",
            Self::Signature => "signature",
        })
    }
}

/// Why a text is not a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PeekError {
    /// A member stands twice.
    #[error("the token's {0} names a member twice")]
    Duplicate(Part),
    /// Padding, another alphabet, white space, or bits that no encoder leaves.
    #[error("the token's {0} is not canonical base64url without padding")]
    Encoding(Part),
    /// A member of the header is missing or of the wrong type.
    #[error("the token's header must have a string alg, and kid and typ as strings where they are given")]
    Header,
    /// Not one JSON object.
    #[error("the token's {0} is not a JSON object")]
    Json(Part),
    /// Not three parts.
    #[error("a token has three parts that are not empty, with dots between them")]
    Parts,
    /// Longer than [`LONGEST_TOKEN`].
    #[error("a token is at most 16384 bytes long")]
    TooLong,
}

/// Takes a token apart.
///
/// # Errors
/// [`PeekError`] when the text is not a token in the strictest reading of RFC 7515 and RFC 7519.
pub fn peek(token: &str) -> Result<UnverifiedToken<'_>, PeekError> {
    if token.len() > LONGEST_TOKEN {
        return Err(PeekError::TooLong);
    }
    let (signing_input, signature) = token.rsplit_once('.').ok_or(PeekError::Parts)?;
    let (header, payload) = signing_input.split_once('.').ok_or(PeekError::Parts)?;
    if [header, payload, signature].iter().any(|part| part.is_empty()) || payload.contains('.') {
        return Err(PeekError::Parts);
    }
    // The alphabet's decoder takes one spelling of each value: no padding, no spare bits.
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
