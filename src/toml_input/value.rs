//! TOML values, each with its line number. The types have no `Debug`, because a value may be a secret and must not be
//! printed.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A TOML value and the number of its line, counted from 1.
#[derive(Clone)]
pub(crate) struct Located {
    pub(crate) value: Value,
    pub(crate) line: usize,
}

/// A TOML value. `Other` replaces a value of a type that no key has, such as a date.
#[derive(Clone)]
pub(crate) enum Value {
    Text(String),
    Integer(i64),
    Boolean(bool),
    List(Vec<Located>),
    Table(BTreeMap<String, Located>),
    Other,
}

impl Value {
    /// Returns the name of the value's type for error texts.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "a whole number",
            Self::Boolean(_) => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other => "a number with a fraction or a date",
        }
    }

    /// Returns the value as TOML for display. Secrets in the value must be hidden before.
    pub(crate) fn shown(&self) -> toml::Value {
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

/// Parses a TOML document into top-level entries. An error is the line of the fault and a message.
pub(crate) fn parse(text: &str) -> Result<BTreeMap<String, Located>, (usize, String)> {
    let lines = Lines::of(text);
    let document = DeTable::parse(text).map_err(|error| {
        // `Display` of this error prints the whole line, which may hold a secret.
        (lines.number_at(error.span().map_or(0, |span| span.start)), one_line(error.message()))
    })?;
    Ok(lines.table(document.get_ref()))
}

/// Parses the text of a single TOML value, such as a default.
pub(crate) fn parse_value(text: &str) -> Result<Value, String> {
    DeValue::parse(text)
        .map(|value| Lines::of(text).convert(value.get_ref()))
        .map_err(|error| format!("is not TOML: {}", one_line(error.message())))
}

fn one_line(message: &str) -> String {
    message.lines().collect::<Vec<_>>().join("; ")
}

/// Offsets of a text's line ends, in bytes, so that the line of a value is found without reading the text again.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(offset, _)| offset).collect())
    }

    fn number_at(&self, offset: usize) -> usize {
        1 + self.0.partition_point(|end| *end < offset)
    }

    fn table(&self, fields: &DeTable<'_>) -> BTreeMap<String, Located> {
        let fields = fields.iter().map(|(name, value)| {
            let line = self.number_at(name.span().start);
            (name.get_ref().to_string(), Located { value: self.convert(value.get_ref()), line })
        });
        fields.collect()
    }

    fn item(&self, value: &Spanned<DeValue<'_>>) -> Located {
        Located { value: self.convert(value.get_ref()), line: self.number_at(value.span().start) }
    }

    fn convert(&self, value: &DeValue<'_>) -> Value {
        match value {
            DeValue::String(string) => Value::Text(string.to_string()),
            DeValue::Integer(number) => {
                i64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Other, Value::Integer)
            }
            DeValue::Boolean(truth) => Value::Boolean(*truth),
            DeValue::Array(items) => Value::List(items.iter().map(|item| self.item(item)).collect()),
            DeValue::Table(fields) => Value::Table(self.table(fields)),
            DeValue::Float(_) | DeValue::Datetime(_) => Value::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_the_number_of_its_line() {
        let Ok(entries) = parse("a = 1\r\nb = [\n  2,\n  3]\n\n[t]\nc = 4") else { panic!("is TOML") };
        let line = |path: &[&str]| {
            let (first, rest) = path.split_first().unwrap();
            rest.iter().fold(&entries[*first], |located, step| match &located.value {
                Value::Table(fields) => &fields[*step],
                Value::List(items) => &items[step.parse::<usize>().unwrap()],
                _ => panic!("has no parts"),
            })
        };
        let lines = [&["a"][..], &["b"], &["b", "0"], &["b", "1"], &["t"], &["t", "c"]].map(|path| line(path).line);
        assert_eq!(lines, [1, 2, 3, 4, 6, 7]);
        assert_eq!(parse("a = 1\n\nb = ").err().unwrap().0, 3, "the line of a fault");
    }
}
