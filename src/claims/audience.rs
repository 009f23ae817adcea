//! The audiences of tokens, and the patterns by which rules, clients and registrations allow audiences. The `*` of a
//! pattern never matches a delimiter such as `/` or `:`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::glob::glob_covers;
use crate::base::FieldError;

/// Maximum bytes of one audience.
const MAX_BYTES: usize = 1024;

/// A pattern that matches audiences. `*` matches any number of characters except `/`, `:`, `@`, `?` and `#`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AudiencePattern(String);

impl AudiencePattern {
    /// Returns the text of the pattern.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether the pattern matches the audience. Upper and lower case differ.
    #[must_use]
    pub fn matches(&self, audience: &str) -> bool {
        glob_covers(&self.0, audience)
    }

    /// Returns whether the pattern matches the audience if upper and lower case count as equal.
    #[must_use]
    pub fn mentions(&self, audience: &str) -> bool {
        glob_covers(&self.0.to_lowercase(), &audience.to_lowercase())
    }
}

impl TryFrom<String> for AudiencePattern {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.is_empty() || text.len() > MAX_BYTES || text.chars().any(char::is_control) {
            return Err("must be an audience of 1 to 1024 bytes without control characters");
        }
        Ok(Self(text))
    }
}

impl FromStr for AudiencePattern {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.to_owned().try_into()
    }
}

impl From<AudiencePattern> for String {
    fn from(pattern: AudiencePattern) -> Self {
        pattern.0
    }
}

impl fmt::Display for AudiencePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Maximum number of audiences of one token.
const MAX_AUDIENCES: usize = 16;

/// The requested audiences of one token: 1 to 16, without duplicates, in the order of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audiences(Vec<String>);

/// Error returned for an invalid list of requested audiences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AudienceError {
    /// A requested audience is invalid, or too many audiences are requested.
    Field(FieldError),
    /// The request names no audience, or an empty one.
    Required,
}

impl Audiences {
    /// Checks the requested audiences of a token and drops duplicates.
    ///
    /// # Errors
    /// [`AudienceError`] if there is no audience or more than 16, or if an audience is empty, too long or has control
    /// characters.
    pub fn new(requested: Vec<String>) -> Result<Self, AudienceError> {
        let invalid = |problem: String| Err(AudienceError::Field(FieldError::new("audience", problem)));
        let mut audiences: Vec<String> = Vec::new();
        for audience in requested {
            if audience.is_empty() {
                return Err(AudienceError::Required);
            }
            if audience.len() > MAX_BYTES {
                return invalid(format!("must have at most {MAX_BYTES} bytes"));
            }
            if audience.chars().any(char::is_control) {
                return invalid("must not contain control characters".to_owned());
            }
            if audiences.contains(&audience) {
                continue;
            }
            if audiences.len() == MAX_AUDIENCES {
                return invalid(format!("must be given at most {MAX_AUDIENCES} times"));
            }
            audiences.push(audience);
        }
        if audiences.is_empty() { Err(AudienceError::Required) } else { Ok(Self(audiences)) }
    }

    /// Returns the audiences in the order of the request.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

/// Writes a single audience as a string, and several audiences as an array (RFC 7519 §4.1.3).
impl Serialize for Audiences {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => serializer.serialize_str(one),
            many => many.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(pattern: &str, audience: &str) -> bool {
        pattern.parse::<AudiencePattern>().unwrap().matches(audience)
    }

    #[test]
    fn a_star_stays_within_its_segment() {
        for (pattern, audience) in [
            ("sts.amazonaws.com", "sts.amazonaws.com"),
            ("https://*.example.com", "https://a.example.com"),
            ("https://*/x", "https://host/x"),
            ("*x*z", "axbxz"),
            ("*", "anything"),
        ] {
            assert!(covers(pattern, audience), "{pattern} {audience}");
        }
        for (pattern, audience) in [
            ("sts.amazonaws.com", "STS.amazonaws.com"),
            ("https://*.example.com", "https://evil.com/.example.com"),
            ("https://*.example.com", "https://u@a.example.com"),
            ("*x*z", "x/xz"),
            ("*", "a:b"),
            ("a", "ab"),
        ] {
            assert!(!covers(pattern, audience), "{pattern} {audience}");
        }
    }

    #[test]
    fn a_rule_mentions_an_audience_in_any_case() {
        assert!("Sts.*.com".parse::<AudiencePattern>().unwrap().mentions("sts.AMAZONAWS.com"));
    }

    #[test]
    fn an_empty_or_hostile_pattern_is_rejected() {
        for text in ["", "a\nb", &"a".repeat(1025)] {
            assert!(text.parse::<AudiencePattern>().is_err());
        }
    }
}
