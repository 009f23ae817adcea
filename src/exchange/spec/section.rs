//! Sections of a rules file.

use serde::Serialize;

use crate::store::EntitlementKind;

/// Section of a rules file: one kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// Entries of `[[users]]`.
    Users,
    /// Entries of `[[providers]]`.
    Providers,
    /// Entries of `[[rubygems.roles]]`.
    Roles,
    /// Entries of `[[rubygems.trusted_publishers]]`.
    TrustedPublishers,
    /// Entries of `[[nuget.trust_policies]]`.
    TrustPolicies,
    /// Entries of `[[grants]]`.
    Grants,
}

impl Section {
    /// All sections, in the order of a file.
    pub const ALL: [Self; 6] =
        [Self::Users, Self::Providers, Self::Roles, Self::TrustedPublishers, Self::TrustPolicies, Self::Grants];

    /// Name of the section in a file.
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

    /// Noun for one object of the section, in messages and events.
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

    /// Section of entitlements of this kind.
    pub(in crate::exchange) const fn of(kind: EntitlementKind) -> Self {
        match kind {
            EntitlementKind::Grant => Self::Grants,
            EntitlementKind::Publisher => Self::TrustedPublishers,
            EntitlementKind::Role => Self::Roles,
            EntitlementKind::TrustPolicy => Self::TrustPolicies,
        }
    }
}
