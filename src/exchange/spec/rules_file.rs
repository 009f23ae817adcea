//! The rules file: TOML with the tables of [`RulesFile`]. Errors name the line.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::flag::is_false;
use super::grant::GrantSpec;
use super::nuget::NugetSection;
use super::provider::NamedProviderSpec;
use super::rubygems::RubygemsSection;
use super::section::Section;
use crate::base::FieldError;

/// A rules file: all objects that it declares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a roles file")]
pub struct RulesFile {
    /// Entries of `[[users]]`.
    pub users: Vec<UserSpec>,
    /// Entries of `[[providers]]`.
    pub providers: Vec<NamedProviderSpec>,
    /// Entitlements of RubyGems, `[rubygems]`.
    pub rubygems: RubygemsSection,
    /// Entitlements of NuGet, `[nuget]`.
    pub nuget: NugetSection,
    /// Grants of the token endpoint and of forward authentication.
    pub grants: Vec<GrantSpec>,
}

impl RulesFile {
    /// Whether the file declares no objects.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A user, whose roles and trust policies issue keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a user")]
pub struct UserSpec {
    /// Unique name of the user.
    pub name: String,
    /// Whether the user is disabled; a disabled user's keys are revoked.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disabled: bool,
}

/// Error of a rules file that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct RulesFileError {
    /// Line of the error, from 1.
    pub line: usize,
    /// Problem in that line.
    pub problem: String,
}

/// Reads a rules file.
///
/// # Errors
/// [`RulesFileError`] for invalid TOML, unknown keys and values of the wrong type.
pub fn read_rules_file(text: &str) -> Result<RulesFile, RulesFileError> {
    toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
        RulesFileError { line, problem: error.message().trim().to_owned() }
    })
}

/// Reads one object of a section, as a file that declares nothing else.
///
/// # Errors
/// [`FieldError`] names the field that is unknown or of the wrong type.
pub fn one_object(section: Section, object: Value) -> Result<RulesFile, FieldError> {
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
