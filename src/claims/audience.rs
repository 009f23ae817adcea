//! Audiences that rules, clients and registrations allow.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::glob::glob_covers;
use crate::base::FieldError;

/// The most bytes that an audience may have.
const MAX_BYTES: usize = 1024;

/// An audience by its whole text, where `*` stands for any run of characters within one segment:
/// it never crosses `/`, `:`, `@`, `?` or `#`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AudiencePattern(String);

impl AudiencePattern {
    /// Does the pattern cover this audience? Case counts: two audiences that differ in case are two audiences.
    #[must_use]
    pub fn matches(&self, audience: &str) -> bool {
        glob_covers(&self.0, audience)
    }

    /// Does the pattern cover this audience, whatever the case?
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

/// How many audiences a token may have.
const MOST: usize = 16;

/// The audiences that a token was asked for: one to sixteen, each once, in the order of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audiences(Vec<String>);

/// Why audiences were not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AudienceError {
    /// One of them can't be taken.
    Field(FieldError),
    /// None was named, or an empty one.
    Required,
}

impl Audiences {
    /// Takes audiences as they were asked for; duplicates are dropped.
    ///
    /// # Errors
    /// [`AudienceError`].
    pub fn new(asked: Vec<String>) -> Result<Self, AudienceError> {
        let refuse = |problem: String| Err(AudienceError::Field(FieldError::new("audience", problem)));
        let mut audiences: Vec<String> = Vec::new();
        for audience in asked {
            if audience.is_empty() {
                return Err(AudienceError::Required);
            }
            if audience.len() > MAX_BYTES {
                return refuse(format!("must have at most {MAX_BYTES} bytes"));
            }
            if audience.chars().any(char::is_control) {
                return refuse("must not hold control characters".to_owned());
            }
            if audiences.contains(&audience) {
                continue;
            }
            if audiences.len() == MOST {
                return refuse(format!("must be named at most {MOST} times"));
            }
            audiences.push(audience);
        }
        if audiences.is_empty() { Err(AudienceError::Required) } else { Ok(Self(audiences)) }
    }

    /// The audiences, in the order of asking.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

/// RFC 7519 §4.1.3: one string for one audience, an array for several.
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
    fn many_stars_cost_no_more_than_a_product() {
        let pattern = "*a".repeat(500);
        assert!(!covers(&pattern, &"a".repeat(499)));
        assert!(!covers(&format!("{pattern}b"), &"a".repeat(1000)));
    }

    #[test]
    fn a_rule_mentions_an_audience_in_any_case() {
        assert!("Sts.*.com".parse::<AudiencePattern>().unwrap().mentions("sts.AMAZONAWS.com"));
    }

    #[test]
    fn an_empty_or_hostile_pattern_is_refused() {
        for text in ["", "a\nb", &"a".repeat(1025)] {
            assert!(text.parse::<AudiencePattern>().is_err());
        }
    }
}
