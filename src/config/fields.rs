//! The tables of a section whose names the operator chooses, such as `[clients.NAME]`: each with its keys, every fault
//! with its line.

use std::collections::BTreeMap;

use super::reader::{Reader, boolean, each, number, seconds, table, text};
use super::value::{Located, Value};
use crate::base::{FieldError, Seconds};

/// What is wrong with one of them, and in which line where it is not its first.
pub(super) struct Fault {
    line: Option<usize>,
    problem: String,
}

impl Fault {
    /// Wrong with the whole table.
    pub(super) const fn whole(problem: String) -> Self {
        Self { line: None, problem }
    }
}

/// Reads each table of such a section. What is wrong is noted, and reading goes on.
pub(super) fn read_named<T>(
    reader: &mut Reader<'_>,
    path: &str,
    mut read: impl FnMut(&str, &Value) -> Result<T, Fault>,
) -> Option<Vec<T>> {
    let Some(named) = reader.optional(path, |value| table(value).cloned())? else { return Some(Vec::new()) };
    let section = path.trim_end_matches(".NAME");
    let mut all = Vec::new();
    for (name, item) in &named {
        match read(name, &item.value) {
            Ok(one) => all.push(one),
            Err(Fault { line, problem }) => {
                let origin = reader.origin(path).at(line.unwrap_or(item.line));
                reader.refuse_at(&origin, &format!("{section}.{name}"), &problem);
            }
        }
    }
    (all.len() == named.len()).then_some(all)
}

/// The keys of one of them.
pub(super) struct Fields<'a>(&'a BTreeMap<String, Located>);

impl<'a> Fields<'a> {
    /// The table, if it has no other keys than these.
    pub(super) fn read(what: &str, value: &'a Value, known: &[&str]) -> Result<Self, Fault> {
        let fields = table(value).map_err(Fault::whole)?;
        if let Some((field, located)) = fields.iter().find(|(field, _)| !known.contains(&field.as_str())) {
            let problem = format!("there is no such key as {field:?}; {what} has {}", known.join(", "));
            return Err(Fault { line: Some(located.line), problem });
        }
        Ok(Self(fields))
    }

    fn field<T>(&self, name: &str, read: impl FnOnce(&Value) -> Result<T, String>) -> Result<Option<T>, Fault> {
        let Some(field) = self.0.get(name) else { return Ok(None) };
        let fault = |problem: String| Fault { line: Some(field.line), problem: format!("{name}: {problem}") };
        read(&field.value).map(Some).map_err(fault)
    }

    /// A list of strings, each by `read`.
    pub(super) fn list<T>(
        &self,
        name: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<Vec<T>>, Fault> {
        self.field(name, |value| each(value, read))
    }

    /// A string, by `read`.
    pub(super) fn text<T>(&self, name: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Result<Option<T>, Fault> {
        self.field(name, |value| text(value).and_then(read))
    }

    /// A string as it stands.
    pub(super) fn string(&self, name: &str) -> Result<Option<String>, Fault> {
        self.text(name, |text| Ok(text.to_owned()))
    }

    /// Strings as they stand.
    pub(super) fn strings(&self, name: &str) -> Result<Option<Vec<String>>, Fault> {
        self.list(name, |text| Ok(text.to_owned()))
    }

    /// True or false.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Fault> {
        self.field(name, boolean)
    }

    /// A length of time, or a bare number of seconds.
    pub(super) fn seconds(&self, name: &str) -> Result<Option<Seconds>, Fault> {
        self.field(name, |value| match value {
            Value::Integer(_) => number(value).map(Seconds::new),
            other => seconds(other),
        })
    }

    /// A table as JSON.
    pub(super) fn json(&self, name: &str) -> Result<Option<String>, Fault> {
        self.field(name, |value| {
            table(value)?;
            serde_json::to_string(&value.shown()).map_err(|error| error.to_string())
        })
    }

    /// A table within.
    pub(super) fn table(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).map(|field| &field.value)
    }

    /// A field's fault that was found when the whole was checked.
    pub(super) fn fault(&self, error: &FieldError) -> Fault {
        Fault { line: self.0.get(&error.field).map(|field| field.line), problem: error.to_string() }
    }
}
