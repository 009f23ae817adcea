//! A change to users, providers and entitlements: the wanted objects, the effect on each object, and the error of an
//! invalid object.

use serde::Serialize;
use strum::{IntoStaticStr, VariantArray};

use crate::base::FieldError;
use crate::exchange::spec::{NamedProviderSpec, RulesFile, Section};

/// Effect of a change on one object: a user, a provider or an entitlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, IntoStaticStr, VariantArray)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum ChangeKind {
    /// The object is created, because it did not exist.
    Created,
    /// The object is updated, because it differs from its former state.
    Updated,
    /// The object does not change.
    Unchanged,
    /// The object is deleted.
    Deleted,
}

/// Effect of a change on one object, with the object's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Section of the object.
    #[serde(skip)]
    pub section: Section,
    /// Name of the object.
    pub name: String,
    /// User that the object belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Public token of a role, which names the role in URLs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Effect on the object.
    pub change: ChangeKind,
    /// Possible mistakes in the object, such as claims that the provider's discovery document does not list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Stored objects that a change deletes. A change never deletes an object that it mentions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Prune {
    /// Deletes every object that the change does not mention. A rules file never deletes a provider that the
    /// configuration declares. The configuration deletes only providers that it declared before.
    All,
    /// Deletes no objects: an object that the change does not mention stays as it is.
    #[default]
    Nothing,
    /// Deletes one object, given by its section, its user and its name. The user may be `None` if the section has
    /// only one object of the name.
    One(Section, Option<String>, String),
}

/// Whether the objects of a change must exist, or must not exist, before the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precondition {
    /// Each object of the change must exist already, so that the change only updates.
    Exists,
    /// No object of the change may exist yet, so that the change only creates.
    Absent,
}

/// A change to users, providers and entitlements.
#[derive(Debug, Clone, Default)]
pub struct ChangeSet {
    /// Objects to create or update, as a rules file declares them.
    pub file: RulesFile,
    /// Providers of the configuration. If `Some`, only these are applied, and `file` is ignored.
    pub declared: Option<Vec<NamedProviderSpec>>,
    /// Objects to delete, of those that the change does not mention.
    pub prune: Prune,
    /// Whether each object in the file must exist, or must not exist, before the change; `None` allows both.
    pub expect: Option<Precondition>,
}

/// Error of a user, provider or entitlement that cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} {name:?}: {}{problem}", .section.name(), if .field.is_empty() { String::new() } else { format!("{}: ", .field) })]
pub struct RuleError {
    /// Section of the object.
    pub section: Section,
    /// Name of the object.
    pub name: String,
    /// User that the object belongs to, if there is one.
    pub user: Option<String>,
    /// Dotted path of the invalid field; empty for the object as a whole.
    pub field: String,
    /// The problem, and the values that are valid.
    pub problem: String,
}

/// Errors of all users, providers and entitlements that cannot be applied. Holds at least one error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct RuleErrors(pub Vec<RuleError>);

impl ChangeKind {
    /// All effects that a change can have on an object.
    pub const ALL: &'static [Self] = <Self as VariantArray>::VARIANTS;

    /// Kind of the event that records the change of an object of `section`, such as `role_created`; `None` if nothing
    /// changed.
    #[must_use]
    pub fn event_kind(self, section: Section) -> Option<String> {
        let noun = section.noun().replace(' ', "_");
        (self != Self::Unchanged).then(|| format!("{noun}_{}", <&str>::from(self)))
    }
}

impl RuleError {
    pub(super) fn new(section: Section, name: &str, problem: impl Into<String>) -> Self {
        Self { section, name: name.to_owned(), user: None, field: String::new(), problem: problem.into() }
    }

    pub(super) fn in_field(section: Section, name: &str, error: FieldError) -> Self {
        Self { field: error.field, ..Self::new(section, name, error.problem) }
    }

    /// Returns the error with `user` as the user that the object belongs to.
    pub(super) fn of(self, user: Option<&str>) -> Self {
        Self { user: user.map(str::to_owned), ..self }
    }
}

impl Change {
    pub(super) fn new(section: Section, name: &str, user: Option<&str>, change: ChangeKind) -> Self {
        let (name, user) = (name.to_owned(), user.map(str::to_owned));
        Self { section, name, user, token: None, change, warnings: Vec::new() }
    }
}

impl Prune {
    pub(super) fn deletes(&self, section: Section, user: Option<&str>, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Nothing => false,
            Self::One(of, owner, named) => {
                *of == section && named == name && (owner.is_none() || owner.as_deref() == user)
            }
        }
    }
}

impl Precondition {
    pub(super) fn check(expect: Option<Self>, exists: bool) -> Result<(), &'static str> {
        match (expect, exists) {
            (Some(Self::Absent), true) => Err("exists already; update it"),
            (Some(Self::Exists), false) => Err("does not exist; create it"),
            _ => Ok(()),
        }
    }
}
