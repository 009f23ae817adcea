//! What operators write about users, providers and entitlements: the tables of a roles file, which are the objects of
//! the admin API and what is stored. Only shapes; what they mean is checked where they are brought in.

mod grant;
mod nuget;
mod provider;
mod rubygems;

use serde::{Deserialize, Serialize};

pub use self::grant::{GivenToken, WrittenGrant};
pub use self::nuget::WrittenTrustPolicy;
pub use self::provider::WrittenProvider;
pub use self::rubygems::{Permissions, WrittenPublisher, WrittenRole};

/// A whole file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a roles file")]
pub struct RolesFile {
    /// Users.
    pub users: Vec<WrittenUser>,
    /// Providers.
    pub providers: Vec<WrittenProvider>,
    /// What RubyGems' doors give.
    pub rubygems: RubygemsSection,
    /// What NuGet's door gives.
    pub nuget: NugetSection,
    /// What the token endpoint and forward authentication give.
    pub grants: Vec<WrittenGrant>,
}

impl RolesFile {
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
    pub roles: Vec<WrittenRole>,
    /// Trusted publishers.
    pub trusted_publishers: Vec<WrittenPublisher>,
}

/// `[nuget]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "tables of nuget")]
pub struct NugetSection {
    /// Trust policies.
    pub trust_policies: Vec<WrittenTrustPolicy>,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a user")]
pub struct WrittenUser {
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
