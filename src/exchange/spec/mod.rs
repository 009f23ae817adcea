//! What operators write about users, providers and entitlements: the tables of a roles file, which are the objects of
//! the admin API and what is stored. Only shapes; what they mean is checked where they are brought in.

mod grant;
mod nuget;
mod provider;
mod rubygems;
mod rules_file;

use serde::{Deserialize, Serialize};

pub use self::grant::{GivenToken, GrantSpec};
pub use self::nuget::TrustPolicySpec;
pub use self::provider::NamedProviderSpec;
pub use self::rubygems::{Permissions, PublisherSpec, RoleSpec};
pub use self::rules_file::{RulesFileError, one_object, read_rules_file};

/// A whole file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a roles file")]
pub struct RulesFile {
    /// Users.
    pub users: Vec<UserSpec>,
    /// Providers.
    pub providers: Vec<NamedProviderSpec>,
    /// What RubyGems' doors give.
    pub rubygems: RubygemsSection,
    /// What NuGet's door gives.
    pub nuget: NugetSection,
    /// What the token endpoint and forward authentication give.
    pub grants: Vec<GrantSpec>,
}

impl RulesFile {
    /// Does it hold nothing at all?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// `[rubygems]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "tables of rubygems")]
pub struct RubygemsSection {
    /// Roles.
    pub roles: Vec<RoleSpec>,
    /// Trusted publishers.
    pub trusted_publishers: Vec<PublisherSpec>,
}

/// `[nuget]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "tables of nuget")]
pub struct NugetSection {
    /// Trust policies.
    pub trust_policies: Vec<TrustPolicySpec>,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a user")]
pub struct UserSpec {
    /// The name.
    pub name: String,
    /// Is it disabled? Its keys are dead then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
}

/// Does a flag say no? Then it need not be written.
pub(super) const fn is_no(flag: &bool) -> bool {
    !*flag
}
