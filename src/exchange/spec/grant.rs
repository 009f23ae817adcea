//! Grants of the token endpoint (RFC 8693) and of forward authentication as they are written.

use serde::{Deserialize, Serialize};

use super::is_no;
use crate::base::Seconds;

/// What a grant gives for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GivenToken {
    /// An access token that we sign (RFC 9068).
    Jwt,
    /// An opaque key.
    #[default]
    Key,
}

/// A grant: what holders of some tokens may do at one audience.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a grant")]
pub struct GrantSpec {
    /// Its name, and its path at forward authentication.
    pub name: String,
    /// Whose tokens it takes.
    pub provider: String,
    /// The token's only audience, and that of what is given for it.
    pub audience: String,
    /// Condition in CEL; absent: every token of the provider for this audience.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// What may be asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Globs of packages that its keys may push; absent: every one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<Vec<String>>,
    /// What is given.
    #[serde(default)]
    pub token: GivenToken,
    /// How long it lives: a key up to a day, a JWT up to `tokens.max_lifetime`; 30 minutes where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::base::optional_seconds")]
    pub valid_for: Option<Seconds>,
    /// Is a token spent by it? Where nothing is said, yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub single_use: Option<bool>,
    /// The user that a store behind forward authentication is told, with `{claims}` in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Does what is given live on after the build?
    #[serde(default, skip_serializing_if = "is_no")]
    pub outlives_build: bool,
    /// Does it take tokens of our own builds whose code was not accepted?
    #[serde(default, skip_serializing_if = "is_no")]
    pub allow_untrusted: bool,
}
