//! NuGet's trust policies.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::flag::is_false;
use crate::base::Seconds;

/// `[nuget]` of a rules file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "tables of nuget")]
pub struct NugetSection {
    /// Trust policies, oldest first.
    pub trust_policies: Vec<TrustPolicySpec>,
}

/// A trust policy: which builds may get a key of a package owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a trust policy")]
pub struct TrustPolicySpec {
    /// Name, unique per user.
    pub name: String,
    /// User that the client names as `username`.
    pub user: String,
    /// Owner of the packages, a name of the feed.
    pub owner: String,
    /// Kind of criteria: `entra`, `github`, `gitlab` or `vela`; `vela` is also for our own issuer.
    pub kind: String,
    /// Provider whose tokens are accepted; by default our own issuer for `vela`, else the only provider of the kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Criteria that the token must match.
    pub criteria: Map<String, Value>,
    /// Globs of packages; absent for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<Vec<String>>,
    /// NuGet's scopes; `all` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// Lifetime of a key: up to an hour, 15 minutes by default.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::base::optional_seconds")]
    pub valid_for: Option<Seconds>,
    /// Whether tokens of our own untrusted builds are accepted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub allow_untrusted: bool,
}
