//! NuGet's trust policies as they are written.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::is_no;
use crate::base::Seconds;

/// A trust policy: which builds may have a key of a package owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a trust policy")]
pub struct TrustPolicySpec {
    /// Its name, unique for its user.
    pub name: String,
    /// Whom the client names as `username`.
    pub user: String,
    /// Whose packages they are: a name of the feed's.
    pub owner: String,
    /// `entra`, `github`, `gitlab` or `vela`, which is also ours.
    pub kind: String,
    /// Whose tokens it takes; absent: our own of kind `vela`, else the only provider of the kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Which of them.
    pub criteria: Map<String, Value>,
    /// Globs of packages; absent: every one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<Vec<String>>,
    /// NuGet's scopes; absent: `all`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// How long a key lives: up to an hour, 15 minutes where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::base::optional_seconds")]
    pub valid_for: Option<Seconds>,
    /// Does it take tokens of our own builds whose code was not accepted?
    #[serde(default, skip_serializing_if = "is_no")]
    pub allow_untrusted: bool,
}
