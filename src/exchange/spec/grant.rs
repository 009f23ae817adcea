//! Shape of a grant as operators write it, for the token endpoint (RFC 8693) and forward authentication.

use serde::{Deserialize, Serialize};

use super::flag::is_false;
use crate::base::Seconds;

/// Form of the credentials that a grant issues: access token or key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GivenToken {
    /// An access token signed by our own issuer (RFC 9068).
    Jwt,
    /// An opaque key.
    #[default]
    Key,
}

/// A grant as operators write it in a rules file: which tokens may be exchanged for which scopes at one audience.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a grant")]
pub struct GrantSpec {
    /// Unique name of the grant, which is also part of the URL at forward authentication.
    pub name: String,
    /// Name of the provider that must verify the subject token.
    pub provider: String,
    /// Audience that the subject token must have, and that the issued credential gets.
    pub audience: String,
    /// CEL expression that must hold for the token; absent to accept every token of the provider for this audience.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Scopes that a client may request from the grant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Globs of the packages that the issued keys may push; absent for all packages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<Vec<String>>,
    /// Form of the issued credential: access token or key.
    #[serde(default)]
    pub token: GivenToken,
    /// Lifetime of the issued credential, 30 minutes by default. A key may be valid for up to a day, a JWT for up to
    /// `tokens.max_lifetime`.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::base::optional_seconds")]
    pub valid_for: Option<Seconds>,
    /// Whether each subject token can be exchanged only once; true by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub single_use: Option<bool>,
    /// Template of the user name that forward authentication sends to the store behind the proxy; `{sub}` is replaced
    /// by the claim `sub` of the token, and likewise for other claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Whether the issued credentials stay valid after the build has finished.
    #[serde(default, skip_serializing_if = "is_false")]
    pub outlives_build: bool,
    /// Whether the grant accepts tokens of untrusted builds of our own issuer.
    #[serde(default, skip_serializing_if = "is_false")]
    pub allow_untrusted: bool,
}
