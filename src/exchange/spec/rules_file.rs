//! A roles file, read: TOML with the tables of [`RulesFile`]. An unknown key or a wrong value is told with its line.

use serde_json::{Map, Value, json};

use super::RulesFile;
use crate::base::FieldError;
use crate::exchange::Section;

/// A file that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct RulesFileError {
    /// Where, from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
}

/// Reads a roles file.
///
/// # Errors
/// [`RulesFileError`].
pub fn read_rules_file(text: &str) -> Result<RulesFile, RulesFileError> {
    toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
        RulesFileError { line, problem: error.message().trim().to_owned() }
    })
}

/// One object of a section, as a file that holds nothing else.
///
/// # Errors
/// [`FieldError`] of what is no such object.
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
