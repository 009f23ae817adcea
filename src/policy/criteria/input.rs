//! Reads the fields of criteria that a user wrote. Reduces pasted URLs and paths to the names in them, and rejects
//! invalid names.

use serde_json::{Map, Value};

use crate::base::FieldError;

/// Maximum bytes of a field's value.
const NAME_BYTES: usize = 255;

/// The fields of criteria as the user wrote them. All field names are known ones; the values are unchecked.
pub(super) struct Input<'a>(&'a Map<String, Value>);

impl<'a> Input<'a> {
    pub(super) fn new(table: &'a Map<String, Value>, known: &[&str]) -> Result<Self, FieldError> {
        match table.keys().find(|name| !known.contains(&name.as_str())) {
            Some(unknown) => {
                Err(FieldError::new(unknown.clone(), format!("unknown field; choose one of {}", known.join(", "))))
            }
            None => Ok(Self(table)),
        }
    }

    /// Reads an optional field, which must be a string. An empty string counts as absent.
    pub(super) fn text(&self, field: &str) -> Result<Option<&'a str>, FieldError> {
        match self.0.get(field) {
            None => Ok(None),
            Some(Value::String(text)) if text.len() <= NAME_BYTES && !text.chars().any(char::is_control) => {
                Ok(Some(text.trim()).filter(|text| !text.is_empty()))
            }
            Some(_) => Err(FieldError::new(field, format!("must be a string of at most {NAME_BYTES} bytes"))),
        }
    }

    pub(super) fn required(&self, field: &str) -> Result<&'a str, FieldError> {
        self.text(field)?.ok_or_else(|| FieldError::new(field, "is missing"))
    }

    pub(super) fn owned(&self, field: &str) -> Result<Option<String>, FieldError> {
        Ok(self.text(field)?.map(str::to_owned))
    }
}

/// Checks the name of an owner, organisation or repository, which must not contain a slash.
pub(super) fn name(field: &str, text: &str) -> Result<String, FieldError> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if text.bytes().all(is_allowed) && text != "." && text != ".." {
        return Ok(text.to_owned());
    }
    Err(FieldError::new(field, "must be a name of letters, digits, dots, hyphens and underscores"))
}

/// Returns the path in a text that is a path or a whole URL, without the query, the fragment, and slashes at the
/// beginning and end.
pub(super) fn path_of(text: &str) -> &str {
    let path = text.split_once("://").map_or(text, |(_, rest)| rest.split_once('/').map_or("", |(_, path)| path));
    let path = path.split(['?', '#']).next().unwrap_or_default();
    path.trim_matches('/')
}

/// Checks the path of a workflow's file, and removes `.github/workflows/` from the beginning. `nested/x.yml` stays
/// unchanged.
pub(super) fn workflow(field: &str, text: &str) -> Result<String, FieldError> {
    let text = text.replace('\\', "/");
    let file = text.trim_start_matches('/');
    let file = file.strip_prefix(".github/workflows/").unwrap_or(file);
    let stem = file.strip_suffix(".yml").or_else(|| file.strip_suffix(".yaml"));
    if stem.is_none_or(|stem| stem.is_empty() || stem.ends_with('/')) || file.split('/').any(|part| part == "..") {
        return Err(FieldError::new(field, "must be a file that ends in .yml or .yaml, such as release.yml"));
    }
    Ok(file.to_owned())
}

/// Checks the name of an environment of GitHub or Vela.
pub(super) fn environment(field: &str, text: Option<&str>) -> Result<Option<String>, FieldError> {
    const REJECTED: [char; 6] = ['\'', '"', '`', ',', ';', '\\'];
    match text {
        Some(text) if text.contains(REJECTED) => {
            Err(FieldError::new(field, "must not contain quotes, commas, semicolons or backslashes"))
        }
        text => Ok(text.map(str::to_owned)),
    }
}
