//! RubyGems' roles and trusted publishers as they are written (seeds of the RFC; rubygems.org's own tables).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::is_no;
use crate::base::Seconds;
use crate::policy::StatementsSpec;

/// A role: what somebody's build may have, and by which statements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a role")]
pub struct RoleSpec {
    /// Its name, unique for its user.
    pub name: String,
    /// Whose keys it makes.
    pub user: String,
    /// Whose tokens it takes.
    pub provider: String,
    /// What its keys may do.
    pub permissions: Permissions,
    /// Do its keys live on after the build?
    #[serde(default, skip_serializing_if = "is_no")]
    pub outlives_build: bool,
    /// Does it take tokens of our own builds whose code was not accepted?
    #[serde(default, skip_serializing_if = "is_no")]
    pub allow_untrusted: bool,
    /// Which tokens it takes.
    pub access_policy: StatementsSpec,
}

/// What a role's keys may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "permissions")]
pub struct Permissions {
    /// RubyGems' scopes.
    pub scopes: Vec<String>,
    /// At most one gem; none means all of the user's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gems: Option<Vec<String>>,
    /// How long a key lives: 5 minutes to a day, 30 minutes where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::base::optional_seconds")]
    pub valid_for: Option<Seconds>,
}

/// A trusted publisher: who may push a gem without a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a trusted publisher")]
pub struct PublisherSpec {
    /// The gem.
    pub gem: String,
    /// Whose gem it is.
    pub user: String,
    /// Whose tokens it takes.
    pub provider: String,
    /// Which of them: by the provider's kind.
    pub criteria: Map<String, Value>,
    /// Does it take tokens of our own builds whose code was not accepted?
    #[serde(default, skip_serializing_if = "is_no")]
    pub allow_untrusted: bool,
}
