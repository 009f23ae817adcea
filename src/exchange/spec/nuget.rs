//! Shape of NuGet's trust policies as operators write them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::flag::is_false;
use crate::base::Seconds;

/// The table `[nuget]` of a rules file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "tables of nuget")]
pub struct NugetSection {
    /// Trust policies of all users, oldest first.
    pub trust_policies: Vec<TrustPolicySpec>,
}

/// A trust policy as operators write it: which builds may get a key of a package owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a trust policy")]
pub struct TrustPolicySpec {
    /// Name of the trust policy, unique among the policies of one user.
    pub name: String,
    /// User that the policy belongs to; the client's request names this user as `username`.
    pub user: String,
    /// Name of the packages' owner at the NuGet feed.
    pub owner: String,
    /// Kind of the policy's criteria: `entra`, `github`, `gitlab` or `vela`; `vela` is also for tokens of our own
    /// issuer.
    pub kind: String,
    /// Name of the provider that must verify the subject token; by default our own issuer for the kind `vela`, else the
    /// only provider of the policy's kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Criteria that the token must match.
    pub criteria: Map<String, Value>,
    /// Globs of the packages that the issued keys cover; absent for all packages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<Vec<String>>,
    /// Scopes of the issued keys, in NuGet's terms; `all` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// Lifetime of an issued key: up to an hour, 15 minutes by default.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::base::optional_seconds")]
    pub valid_for: Option<Seconds>,
    /// Whether the policy accepts tokens of untrusted builds of our own issuer.
    #[serde(default, skip_serializing_if = "is_false")]
    pub allow_untrusted: bool,
}
