//! Typed readings of values. A fault is noted with its place and reading goes on, so that all faults are told at once.

use std::collections::BTreeMap;

use super::source::{Entries, Origin};
use super::value::{Located, Value};
use crate::base::Seconds;

/// Reads values, and keeps what was wrong.
pub(super) struct Reader<'a> {
    entries: &'a Entries,
    errors: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(entries: &'a Entries, errors: Vec<String>) -> Self {
        Self { entries, errors }
    }

    /// What was wrong.
    pub(super) fn finish(self) -> Vec<String> {
        self.errors
    }

    /// Where the key's value was written.
    pub(super) fn origin(&self, path: &str) -> Origin {
        self.entries.get(path).map_or(Origin::Default, |entry| entry.origin.clone())
    }

    /// Notes a fault of a key.
    pub(super) fn refuse(&mut self, path: &str, problem: &str) {
        let origin = self.origin(path);
        self.refuse_at(&origin, path, problem);
    }

    /// Notes a fault at a place. Lines after the first follow indented.
    pub(super) fn refuse_at(&mut self, origin: &Origin, path: &str, problem: &str) {
        // A rule's own lines, with the caret below its place, follow indented.
        let problem = problem.lines().filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join("\n    ");
        self.errors.push(format!("{origin}: {path}: {problem}"));
    }

    /// The value, by `read`; `None` was noted.
    pub(super) fn read<T>(&mut self, path: &str, read: impl FnOnce(&Value) -> Result<T, String>) -> Option<T> {
        let Some(entry) = self.entries.get(path) else {
            self.refuse(path, "is missing");
            return None;
        };
        match read(&entry.value) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.refuse(path, &problem);
                None
            }
        }
    }

    /// As [`Self::read`], where the key may be absent.
    pub(super) fn optional<T>(
        &mut self,
        path: &str,
        read: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<Option<T>> {
        if self.entries.contains_key(path) { self.read(path, read).map(Some) } else { Some(None) }
    }

    /// A length of time that is not zero.
    pub(super) fn period(&mut self, path: &str) -> Option<Seconds> {
        self.read(path, |value| match seconds(value)? {
            Seconds::ZERO => Err("must be at least 1s".to_owned()),
            length => Ok(length),
        })
    }
}

fn wrong(expected: &str, value: &Value) -> String {
    format!("must be {expected}, not {}", value.kind())
}

/// A string.
pub(super) fn text(value: &Value) -> Result<&str, String> {
    if let Value::Text(text) = value { Ok(text) } else { Err(wrong("a string", value)) }
}

/// True or false.
pub(super) fn boolean(value: &Value) -> Result<bool, String> {
    if let Value::Boolean(truth) = value { Ok(*truth) } else { Err(wrong("true or false", value)) }
}

/// A whole number that fits.
pub(super) fn number<T: TryFrom<i64>>(value: &Value) -> Result<T, String> {
    let Value::Integer(number) = value else { return Err(wrong("a whole number", value)) };
    T::try_from(*number).map_err(|_| "is out of range: it must not be negative, nor so large".to_owned())
}

/// A length of time.
pub(super) fn seconds(value: &Value) -> Result<Seconds, String> {
    text(value)?.parse().map_err(|problem: &'static str| problem.to_owned())
}

/// A list.
pub(super) fn list(value: &Value) -> Result<&[Located], String> {
    if let Value::List(items) = value { Ok(items) } else { Err(wrong("a list", value)) }
}

/// A list of strings, each by `read`.
pub(super) fn each<T>(value: &Value, read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    let item = |(index, item): (usize, &Located)| {
        text(&item.value).and_then(&read).map_err(|problem| format!("item {}: {problem}", index + 1))
    };
    list(value)?.iter().enumerate().map(item).collect()
}

/// A table.
pub(super) fn table(value: &Value) -> Result<&BTreeMap<String, Located>, String> {
    if let Value::Table(fields) = value { Ok(fields) } else { Err(wrong("a table", value)) }
}
