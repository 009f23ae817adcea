//! The rules file, in which operators declare users, providers and entitlements: TOML with the tables of [`RulesFile`].
//! Never reads TOML: `entitlements/changes/rules_text.rs` does.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::flag::is_false;
use super::grant::GrantSpec;
use super::nuget::NugetSection;
use super::provider::NamedProviderSpec;
use super::rubygems::RubygemsSection;
use super::section::Section;
use crate::base::FieldError;

/// All objects that a rules file declares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a rules file")]
pub struct RulesFile {
    /// Users that the file declares, `[[users]]`.
    pub users: Vec<UserSpec>,
    /// Providers that the file declares, `[[providers]]`.
    pub providers: Vec<NamedProviderSpec>,
    /// Roles and trusted publishers of RubyGems, `[rubygems]`.
    pub rubygems: RubygemsSection,
    /// Trust policies of NuGet, `[nuget]`.
    pub nuget: NugetSection,
    /// Grants of the token endpoint and of forward authentication, `[[grants]]`.
    pub grants: Vec<GrantSpec>,
}

impl RulesFile {
    /// Whether the file declares no objects.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A user as operators write one: the owner of roles, trusted publishers and trust policies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a user")]
pub struct UserSpec {
    /// Unique name of the user.
    pub name: String,
    /// Whether the user is disabled; disabling a user revokes the user's keys.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disabled: bool,
}

/// Reads one object of a section from JSON, and returns a rules file that declares only this object.
///
/// # Errors
/// [`FieldError`] names the object's field that is unknown or has the wrong type.
pub(crate) fn one_object(section: Section, object: Value) -> Result<RulesFile, FieldError> {
    let mut file = Map::new();
    match section.name().split_once('.') {
        Some((outer, inner)) => file.insert(outer.to_owned(), json!({ inner: [object] })),
        None => file.insert(section.name().to_owned(), json!([object])),
    };
    let read = serde_path_to_error::deserialize(Value::Object(file));
    read.map_err(|error| {
        let path = error.path().to_string();
        let field = path.split_once("[0].").map_or_else(|| section.noun().to_owned(), |(_, field)| field.to_owned());
        FieldError::new(field, error.inner().to_string())
    })
}
