//! Audiences that rules, clients and registrations allow.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An audience by its whole text, where `*` stands for any run of characters within one segment:
/// it never crosses `/`, `:`, `@`, `?` or `#`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AudiencePattern(String);

impl AudiencePattern {
    /// Does the pattern cover this audience? Case counts: two audiences that differ in case are two audiences.
    #[must_use]
    pub fn matches(&self, audience: &str) -> bool {
        covers(self.0.as_bytes(), audience.as_bytes())
    }

    /// Does the pattern cover this audience, whatever the case?
    #[must_use]
    pub fn mentions(&self, audience: &str) -> bool {
        covers(self.0.to_lowercase().as_bytes(), audience.to_lowercase().as_bytes())
    }
}

fn covers(pattern: &[u8], text: &[u8]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return text.is_empty() };
    if *first == b'*' {
        let segment = text.iter().take_while(|byte| !b"/:@?#".contains(byte)).count();
        return (0..=segment).any(|taken| text.get(taken..).is_some_and(|text| covers(rest, text)));
    }
    text.split_first().is_some_and(|(byte, text)| byte == first && covers(rest, text))
}

impl TryFrom<String> for AudiencePattern {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
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
