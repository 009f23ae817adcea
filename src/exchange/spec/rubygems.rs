//! RubyGems' roles and trusted publishers, in the terms of rubygems.org.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::flag::is_false;
use crate::base::Seconds;
use crate::policy::StatementsSpec;

/// `[rubygems]` of a rules file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "tables of rubygems")]
pub struct RubygemsSection {
    /// Roles of all users.
    pub roles: Vec<RoleSpec>,
    /// Trusted publishers of all gems.
    pub trusted_publishers: Vec<PublisherSpec>,
}

/// A role: permissions for the tokens that its statements accept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a role")]
pub struct RoleSpec {
    /// Name, unique per user.
    pub name: String,
    /// User that the keys belong to.
    pub user: String,
    /// Provider whose tokens are accepted.
    pub provider: String,
    /// Permissions of the keys.
    pub permissions: Permissions,
    /// Whether keys stay valid after the build has finished.
    #[serde(default, skip_serializing_if = "is_false")]
    pub outlives_build: bool,
    /// Whether tokens of our own untrusted builds are accepted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub allow_untrusted: bool,
    /// Statements that accept or reject a token.
    pub access_policy: StatementsSpec,
}

/// Permissions of a role's keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "permissions")]
pub struct Permissions {
    /// Scopes of RubyGems.
    pub scopes: Vec<String>,
    /// At most one gem; absent for all gems of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gems: Option<Vec<String>>,
    /// Lifetime of a key: 5 minutes to a day, 30 minutes by default.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::base::optional_seconds")]
    pub valid_for: Option<Seconds>,
}

/// A trusted publisher: builds that may push a gem without a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a trusted publisher")]
pub struct PublisherSpec {
    /// Name of the gem.
    pub gem: String,
    /// User that owns the gem.
    pub user: String,
    /// Provider whose tokens are accepted.
    pub provider: String,
    /// Criteria that the token must match, by the kind of the provider.
    pub criteria: Map<String, Value>,
    /// Whether tokens of our own untrusted builds are accepted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub allow_untrusted: bool,
}
