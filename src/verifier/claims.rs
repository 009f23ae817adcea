//! Reads the claims of a token and checks the types of the standard claims (RFC 7519 §4.1). Uses the token's bytes
//! alone: never checks a time, an audience or an issuer.

use serde_json::{Map, Value};

use super::TokenRefusal;
use crate::base::Moment;

/// Latest time that a claim may have: the last second of the year 9999.
const LATEST: f64 = 253_402_300_799.0;

/// The claims of a token. The standard claims have the right types.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    iss: String,
    audiences: Vec<String>,
    exp: Moment,
    iat: Moment,
    nbf: Option<Moment>,
    all: Map<String, Value>,
}

impl Claims {
    /// Checks the types of the standard claims. `iss`, `aud`, `exp` and `iat` are required; `sub`, `nbf` and `jti` are
    /// optional, but must have the right type if present. `aud` is a string or a list of strings, which may be empty.
    ///
    /// # Errors
    /// [`TokenRefusal::ClaimMissing`] or [`TokenRefusal::ClaimType`] for the first claim that is missing or has the
    /// wrong type.
    pub(super) fn read(all: Map<String, Value>) -> Result<Self, TokenRefusal> {
        let iss = text(&all, "iss")?.ok_or(TokenRefusal::ClaimMissing { claim: "iss".to_owned() })?.to_owned();
        let required = |claim: &str| time(&all, claim)?.ok_or(TokenRefusal::ClaimMissing { claim: claim.to_owned() });
        text(&all, "sub")?;
        text(&all, "jti")?;
        Ok(Self {
            iss,
            audiences: audiences(&all)?,
            exp: required("exp")?,
            iat: required("iat")?,
            nbf: time(&all, "nbf")?,
            all,
        })
    }

    /// Returns the token's issuer, `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.iss
    }

    /// Returns the token's audiences, `aud`.
    #[must_use]
    pub fn audiences(&self) -> &[String] {
        &self.audiences
    }

    /// Returns the token's subject, `sub`, if present.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.text("sub")
    }

    /// Returns the time at which the token expires, `exp`, in whole seconds.
    #[must_use]
    pub const fn expires(&self) -> Moment {
        self.exp
    }

    /// Returns the time at which the token was issued, `iat`, in whole seconds.
    #[must_use]
    pub const fn issued(&self) -> Moment {
        self.iat
    }

    /// Returns the time from which the token is valid, `nbf`, in whole seconds, if present.
    #[must_use]
    pub const fn not_before(&self) -> Option<Moment> {
        self.nbf
    }

    /// Returns the value of a claim, if the value is a string.
    #[must_use]
    pub fn text(&self, claim: &str) -> Option<&str> {
        self.all.get(claim).and_then(Value::as_str)
    }

    /// Returns the value of a claim, if the value is a string that is not blank.
    #[must_use]
    pub fn filled(&self, claim: &str) -> Option<&str> {
        self.text(claim).filter(|text| !text.trim().is_empty())
    }

    /// Returns all claims, unchanged from the token.
    #[must_use]
    pub const fn all(&self) -> &Map<String, Value> {
        &self.all
    }
}

/// Returns the name of a value's JSON type, for error texts.
pub(super) const fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn wrong_type(claim: &str, expected: &'static str, value: &Value) -> TokenRefusal {
    TokenRefusal::ClaimType { claim: claim.to_owned(), expected, actual: type_of(value) }
}

fn text<'a>(claims: &'a Map<String, Value>, claim: &str) -> Result<Option<&'a str>, TokenRefusal> {
    match claims.get(claim) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(wrong_type(claim, "a string", other)),
    }
}

fn audiences(claims: &Map<String, Value>) -> Result<Vec<String>, TokenRefusal> {
    const EXPECTED: &str = "a string, or a list of strings";
    match claims.get("aud") {
        None => Err(TokenRefusal::ClaimMissing { claim: "aud".to_owned() }),
        Some(Value::String(one)) => Ok(vec![one.clone()]),
        Some(Value::Array(several)) => {
            let text =
                |value: &Value| value.as_str().map(str::to_owned).ok_or_else(|| wrong_type("aud", EXPECTED, value));
            several.iter().map(text).collect()
        }
        Some(other) => Err(wrong_type("aud", EXPECTED, other)),
    }
}

/// Reads a claim that is a time (RFC 7519 §2, NumericDate): a number of seconds since 1970 in any notation, whose
/// fraction is cut off.
fn time(claims: &Map<String, Value>, claim: &str) -> Result<Option<Moment>, TokenRefusal> {
    const EXPECTED: &str = "a number of seconds from 1970 to the year 9999";
    let Some(value) = claims.get(claim) else { return Ok(None) };
    let Value::Number(number) = value else { return Err(wrong_type(claim, EXPECTED, value)) };
    let seconds = number.as_f64().filter(|seconds| (0.0..=LATEST).contains(seconds));
    let seconds = seconds.ok_or_else(|| TokenRefusal::ClaimType {
        claim: claim.to_owned(),
        expected: EXPECTED,
        actual: "a negative or a huge number",
    })?;
    #[expect(clippy::cast_possible_truncation, reason = "cutting the fraction off is what is wanted; the range fits")]
    Ok(Some(Moment::from_unix(seconds as i64)))
}
