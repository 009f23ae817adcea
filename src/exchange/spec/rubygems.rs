//! Shapes of RubyGems' roles and trusted publishers as operators write them, in the terms of rubygems.org.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::flag::is_false;
use crate::base::Seconds;
use crate::policy::StatementsSpec;

/// The table `[rubygems]` of a rules file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "tables of rubygems")]
pub struct RubygemsSection {
    /// Roles of all users.
    pub roles: Vec<RoleSpec>,
    /// Trusted publishers of all gems.
    pub trusted_publishers: Vec<PublisherSpec>,
}

/// A role as operators write it: the statements that accept tokens, and the permissions of the keys issued for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a role")]
pub struct RoleSpec {
    /// Name of the role, unique among the roles of one user.
    pub name: String,
    /// User that the role and the role's keys belong to.
    pub user: String,
    /// Name of the provider that must verify the subject token.
    pub provider: String,
    /// Permissions of the role's keys.
    pub permissions: Permissions,
    /// Whether the role's keys stay valid after the build has finished.
    #[serde(default, skip_serializing_if = "is_false")]
    pub outlives_build: bool,
    /// Whether the role accepts tokens of untrusted builds of our own issuer.
    #[serde(default, skip_serializing_if = "is_false")]
    pub allow_untrusted: bool,
    /// Statements that decide whether the role accepts a token.
    pub access_policy: StatementsSpec,
}

/// Permissions of the keys that a role issues: scopes, gem and lifetime.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "permissions")]
pub struct Permissions {
    /// Scopes of the role's keys, in RubyGems' terms.
    pub scopes: Vec<String>,
    /// Gem that the role's keys cover, in a list of at most one gem; absent for all gems of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gems: Option<Vec<String>>,
    /// Lifetime of the role's keys: 5 minutes to a day, 30 minutes by default.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::base::optional_seconds")]
    pub valid_for: Option<Seconds>,
}

/// A trusted publisher as operators write it: which builds may push a gem without a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a trusted publisher")]
pub struct PublisherSpec {
    /// Name of the gem that the builds may push.
    pub gem: String,
    /// User that owns the gem.
    pub user: String,
    /// Name of the provider that must verify the subject token.
    pub provider: String,
    /// Criteria that the token must match; the provider's kind determines which criteria exist.
    pub criteria: Map<String, Value>,
    /// Whether the publisher accepts tokens of untrusted builds of our own issuer.
    #[serde(default, skip_serializing_if = "is_false")]
    pub allow_untrusted: bool,
}
