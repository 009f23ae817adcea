//! What is brought in, what it does to each thing, and why something can't be brought in.

use serde::Serialize;

use crate::exchange::spec::{NamedProviderSpec, RulesFile};
use crate::store::EntitlementKind;

/// A part of a roles file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// `[[users]]`.
    Users,
    /// `[[providers]]`.
    Providers,
    /// `[[rubygems.roles]]`.
    Roles,
    /// `[[rubygems.trusted_publishers]]`.
    TrustedPublishers,
    /// `[[nuget.trust_policies]]`.
    TrustPolicies,
    /// `[[grants]]`.
    Grants,
}

impl Section {
    /// Every section, in the order of a file.
    pub const ALL: [Self; 6] =
        [Self::Users, Self::Providers, Self::Roles, Self::TrustedPublishers, Self::TrustPolicies, Self::Grants];

    /// As a file writes it.
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

    /// One of them, in words and in events.
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

    pub(in crate::exchange) const fn of(kind: EntitlementKind) -> Self {
        match kind {
            EntitlementKind::Grant => Self::Grants,
            EntitlementKind::Publisher => Self::TrustedPublishers,
            EntitlementKind::Role => Self::Roles,
            EntitlementKind::TrustPolicy => Self::TrustPolicies,
        }
    }
}

/// What happens to one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// It is new.
    Created,
    /// It is another now.
    Updated,
    /// It stays.
    Unchanged,
    /// It is gone.
    Deleted,
}

/// What bringing something in does to one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Where it stands.
    #[serde(skip)]
    pub section: Section,
    /// Its name.
    pub name: String,
    /// Whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// A role's token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// What happens.
    pub change: ChangeKind,
    /// What somebody may not have meant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What goes that is not brought in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Prune {
    /// Everything of these sections.
    All,
    /// Nothing.
    #[default]
    Nothing,
    /// One thing: its section, its user where there are several users' of that name, its name.
    One(Section, Option<String>, String),
}

/// Must what is brought in stand already?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precondition {
    /// It must.
    Standing,
    /// It must not.
    New,
}

/// What is to be brought in.
#[derive(Debug, Clone, Default)]
pub struct ChangeSet {
    /// What is wanted.
    pub file: RulesFile,
    /// The configuration's own providers, in place of those of the file: nothing else is touched.
    pub declared: Option<Vec<NamedProviderSpec>>,
    /// What goes.
    pub prune: Prune,
    /// What must hold of each thing in the file.
    pub expect: Option<Precondition>,
}

/// What can't be brought in, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} {name:?}: {problem}", .section.name())]
pub struct RuleError {
    /// Where it stands.
    pub section: Section,
    /// Its name.
    pub name: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl Prune {
    pub(super) fn takes(&self, section: Section, user: Option<&str>, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Nothing => false,
            Self::One(of, whose, named) => {
                *of == section && named == name && (whose.is_none() || whose.as_deref() == user)
            }
        }
    }
}

impl Precondition {
    /// Is it as it must be?
    pub(super) fn judge(expect: Option<Self>, stands: bool) -> Result<(), &'static str> {
        match (expect, stands) {
            (Some(Self::New), true) => Err("stands already; update it"),
            (Some(Self::Standing), false) => Err("is not there; create it"),
            _ => Ok(()),
        }
    }
}
