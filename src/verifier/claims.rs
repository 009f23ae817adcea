//! Claims of a token, with the standard claims typed (RFC 7519 §4.1). Depends on the bytes alone: checks no time, no
//! audience and no issuer.

use serde_json::{Map, Value};

use super::TokenRefusal;
use crate::base::Moment;

/// Last second of the year 9999, the latest accepted time.
const LATEST: f64 = 253_402_300_799.0;

/// Claims of a token whose standard claims have the right types.
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
    /// Reads the standard claims. `iss`, `aud`, `exp` and `iat` are required; `sub`, `nbf` and `jti` are optional but must
    /// have the right type. `aud` is a string or a list of strings, which may be empty.
    ///
    /// # Errors
    /// [`TokenRefusal::ClaimMissing`] and [`TokenRefusal::ClaimType`] name the claim.
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

    /// Returns `iss`, the issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.iss
    }

    /// Returns the audiences in `aud`.
    #[must_use]
    pub fn audiences(&self) -> &[String] {
        &self.audiences
    }

    /// Returns `sub`, if present.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.text("sub")
    }

    /// Returns `exp`, in whole seconds.
    #[must_use]
    pub const fn expires(&self) -> Moment {
        self.exp
    }

    /// Returns `iat`, in whole seconds.
    #[must_use]
    pub const fn issued(&self) -> Moment {
        self.iat
    }

    /// Returns `nbf`, in whole seconds, if present.
    #[must_use]
    pub const fn not_before(&self) -> Option<Moment> {
        self.nbf
    }

    /// Returns a claim if it is a string.
    #[must_use]
    pub fn text(&self, claim: &str) -> Option<&str> {
        self.all.get(claim).and_then(Value::as_str)
    }

    /// Returns a claim if it is a string that is not blank.
    #[must_use]
    pub fn filled(&self, claim: &str) -> Option<&str> {
        self.text(claim).filter(|text| !text.trim().is_empty())
    }

    /// Returns every claim as the token holds it.
    #[must_use]
    pub const fn all(&self) -> &Map<String, Value> {
        &self.all
    }
}

/// Name of a value's JSON type.
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

/// A time in whole seconds since 1970 (RFC 7519 §2, NumericDate): a number in any notation, its fraction cut off.
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
