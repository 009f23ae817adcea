//! Grants of the token endpoint (RFC 8693) and of forward authentication.

use serde::{Deserialize, Serialize};

use super::flag::is_false;
use crate::base::Seconds;

/// Form of the credentials that a grant issues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GivenToken {
    /// An access token signed by our own issuer (RFC 9068).
    Jwt,
    /// An opaque key.
    #[default]
    Key,
}

/// A grant: scopes at one audience, for the tokens that its condition accepts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a grant")]
pub struct GrantSpec {
    /// Unique name, which is also the path at forward authentication.
    pub name: String,
    /// Provider whose tokens are accepted.
    pub provider: String,
    /// Audience that the token must have, and that the credential has.
    pub audience: String,
    /// Condition in CEL; absent to accept every token of the provider for this audience.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Scopes that may be requested.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Globs of packages that the keys may push; absent for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<Vec<String>>,
    /// Form of the credential.
    #[serde(default)]
    pub token: GivenToken,
    /// Lifetime: a key up to a day, a JWT up to `tokens.max_lifetime`; 30 minutes by default.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::base::optional_seconds")]
    pub valid_for: Option<Seconds>,
    /// Whether a token can be exchanged only once; true by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub single_use: Option<bool>,
    /// User name sent to the store behind forward authentication: a template with `{claims}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Whether credentials stay valid after the build has finished.
    #[serde(default, skip_serializing_if = "is_false")]
    pub outlives_build: bool,
    /// Whether tokens of our own untrusted builds are accepted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub allow_untrusted: bool,
}
