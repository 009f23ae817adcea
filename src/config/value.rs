//! Values as they were written, each with its line. Has no `Debug`: a value may be secret.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value and the line it stands on, from 1.
#[derive(Clone)]
pub(super) struct Located {
    pub(super) value: Value,
    pub(super) line: usize,
}

/// What TOML can say, as far as we use it.
#[derive(Clone)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Boolean(bool),
    List(Vec<Located>),
    Table(BTreeMap<String, Located>),
    Other,
}

impl Value {
    /// What the value is, for messages.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "a whole number",
            Self::Boolean(_) => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other => "a value of a kind that is not used here",
        }
    }

    /// As TOML for display; what a key named `value` holds is a secret.
    pub(super) fn shown(&self) -> toml::Value {
        match self {
            Self::Text(text) => toml::Value::String(text.clone()),
            Self::Integer(number) => toml::Value::Integer(*number),
            Self::Boolean(truth) => toml::Value::Boolean(*truth),
            Self::List(items) => toml::Value::Array(items.iter().map(|item| item.value.shown()).collect()),
            Self::Table(fields) => {
                toml::Value::Table(fields.iter().map(|(name, field)| (name.clone(), field.value.shown())).collect())
            }
            Self::Other => toml::Value::String("?".to_owned()),
        }
    }
}

/// Reads a document: its top-level tables, or `(line, message)`.
pub(super) fn parse(text: &str) -> Result<BTreeMap<String, Located>, (usize, String)> {
    let document = DeTable::parse(text).map_err(|error| {
        // `Display` of this error would print the line itself, and a secret with it.
        (line_at(text, error.span().map_or(0, |span| span.start)), one_line(error.message()))
    })?;
    Ok(table(text, document.get_ref()))
}

/// Reads one value.
pub(super) fn parse_value(text: &str) -> Result<Value, String> {
    DeValue::parse(text)
        .map(|value| convert(text, value.get_ref()))
        .map_err(|error| format!("is not TOML: {}", one_line(error.message())))
}

fn one_line(message: &str) -> String {
    message.lines().collect::<Vec<_>>().join("; ")
}

fn line_at(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

fn table(text: &str, fields: &DeTable<'_>) -> BTreeMap<String, Located> {
    fields
        .iter()
        .map(|(name, value)| {
            let line = line_at(text, name.span().start);
            (name.get_ref().to_string(), Located { value: convert(text, value.get_ref()), line })
        })
        .collect()
}

fn located(text: &str, value: &Spanned<DeValue<'_>>) -> Located {
    Located { value: convert(text, value.get_ref()), line: line_at(text, value.span().start) }
}

fn convert(text: &str, value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(string) => Value::Text(string.to_string()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Other, Value::Integer)
        }
        DeValue::Boolean(truth) => Value::Boolean(*truth),
        DeValue::Array(items) => Value::List(items.iter().map(|item| located(text, item)).collect()),
        DeValue::Table(fields) => Value::Table(table(text, fields)),
        DeValue::Float(_) | DeValue::Datetime(_) => Value::Other,
    }
}
