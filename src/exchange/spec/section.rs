//! Sections of a rules file: one section for each kind of object that operators declare.

use serde::Serialize;

use crate::store::EntitlementKind;

/// Section of a rules file, which holds the objects of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// Section of users, `[[users]]`.
    Users,
    /// Section of providers, `[[providers]]`.
    Providers,
    /// Section of RubyGems' roles, `[[rubygems.roles]]`.
    Roles,
    /// Section of RubyGems' trusted publishers, `[[rubygems.trusted_publishers]]`.
    TrustedPublishers,
    /// Section of NuGet's trust policies, `[[nuget.trust_policies]]`.
    TrustPolicies,
    /// Section of grants, `[[grants]]`.
    Grants,
}

impl Section {
    /// All sections, in the order of a written rules file.
    pub const ALL: [Self; 6] =
        [Self::Users, Self::Providers, Self::Roles, Self::TrustedPublishers, Self::TrustPolicies, Self::Grants];

    /// Name of the section in a rules file, such as `rubygems.roles`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Providers => "providers",
            Self::Roles => "rubygems.roles",
            Self::TrustedPublishers => "rubygems.trusted_publishers",
            Self::TrustPolicies => "nuget.trust_policies",
            Self::Grants => "grants",
        }
    }

    /// Noun for one object of the section, such as `trust policy`, in messages and events.
    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Users => "user",
            Self::Providers => "provider",
            Self::Roles => "role",
            Self::TrustedPublishers => "trusted publisher",
            Self::TrustPolicies => "trust policy",
            Self::Grants => "grant",
        }
    }

    /// Whether each object of the section belongs to a user.
    pub(crate) const fn has_owners(self) -> bool {
        matches!(self, Self::Roles | Self::TrustedPublishers | Self::TrustPolicies)
    }

    /// Section that declares the entitlements of this kind.
    pub(in crate::exchange) const fn of(kind: EntitlementKind) -> Self {
        match kind {
            EntitlementKind::Grant => Self::Grants,
            EntitlementKind::Publisher => Self::TrustedPublishers,
            EntitlementKind::Role => Self::Roles,
            EntitlementKind::TrustPolicy => Self::TrustPolicies,
        }
    }
}
