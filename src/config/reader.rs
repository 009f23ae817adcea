//! Reads the values of keys into Rust types. Reading never stops at a fault: each fault is recorded with its source, so
//! that one run reports every fault.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::entries::{Entries, Origin};
use crate::base::Seconds;
use crate::toml_input::Value;
use crate::toml_input::{self, TableRead};
use crate::toml_input::{Fault, Faults, PathStep};

/// Reads and checks the values of configuration keys, and collects the faults.
pub(super) struct Reader<'a> {
    entries: &'a Entries,
    errors: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(entries: &'a Entries, errors: Vec<String>) -> Self {
        Self { entries, errors }
    }

    /// Returns every fault recorded so far.
    pub(super) fn finish(self) -> Vec<String> {
        self.errors
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.entries.contains_key(path)
    }

    pub(super) fn origin(&self, path: &str) -> Origin {
        self.entries.get(path).map_or(Origin::Default, |entry| entry.origin.clone())
    }

    /// Records a fault in the value of the key `path`, at the line of the faulty part.
    pub(super) fn refuse(&mut self, path: &str, fault: impl Into<Fault>) {
        let fault = fault.into();
        let line = self.entries.get(path).and_then(|entry| fault.line(&entry.value));
        self.refuse_at(&self.origin(path).at(line), &fault.full_path(path), fault.problem());
    }

    /// Records a fault in `path`, a key or a part of a key's value, with the source of the value. Every line of
    /// `problem` after the first line is indented.
    pub(super) fn refuse_at(&mut self, origin: &Origin, path: &str, problem: &str) {
        let problem = problem.lines().filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join("\n    ");
        self.errors.push(format!("{origin}: {path}: {problem}"));
    }

    fn value(&mut self, path: &str) -> Option<&'a Value> {
        let entry = self.entries.get(path);
        if entry.is_none() {
            self.refuse(path, "is missing");
        }
        entry.map(|entry| &entry.value)
    }

    /// Returns the value that was read for the key `path`, or records the fault.
    pub(super) fn keep<T>(&mut self, path: &str, read: Result<T, impl Into<Fault>>) -> Option<T> {
        read.map_err(|fault| self.refuse(path, fault)).ok()
    }

    /// Reads the value of the key `path` as an `I`, then checks the `I`. An absent key is a fault.
    pub(super) fn read<I: Deserialize<'a>, T, E: Into<Fault>>(
        &mut self,
        path: &str,
        check: impl FnOnce(I) -> Result<T, E>,
    ) -> Option<T> {
        let value = self.value(path)?;
        self.keep(path, toml_input::read(value).and_then(|value| check(value).map_err(Into::into)))
    }

    /// Like [`Self::read`], for a key that may be absent. Returns `Some(None)` for an absent key, and `None` after a
    /// recorded fault.
    pub(super) fn optional<I: Deserialize<'a>, T, E: Into<Fault>>(
        &mut self,
        path: &str,
        check: impl FnOnce(I) -> Result<T, E>,
    ) -> Option<Option<T>> {
        if self.has(path) { self.read(path, check).map(Some) } else { Some(None) }
    }

    /// Like [`Self::read`], for each item of a list. Records every fault of every item.
    pub(super) fn each<I: DeserializeOwned, T, E: Into<Faults>>(
        &mut self,
        path: &str,
        check: impl Fn(I) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        let value = self.value(path)?;
        let Value::List(items) = value else {
            // Records that the value must be a list.
            return self.keep(path, toml_input::read::<Vec<I>>(value)).map(|_| Vec::new());
        };
        let mut read = Vec::new();
        for (index, item) in items.iter().enumerate() {
            match checked(toml_input::read_with_every_fault(&item.value), &check) {
                Ok(one) => read.push(one),
                Err(faults) => {
                    faults.into_iter().for_each(|fault| self.refuse(path, fault.below([PathStep::Item(index)])));
                }
            }
        }
        (read.len() == items.len()).then_some(read)
    }

    /// Reads each table in the list of the key `path`, as far as the table can be read. Returns the tables with their
    /// positions, for checks that compare several tables. [`Self::each`] records the faults of the tables' fields.
    pub(super) fn readable<I: DeserializeOwned>(&self, path: &str) -> Vec<(usize, TableRead<I>)> {
        let Some(Value::List(items)) = self.entries.get(path).map(|entry| &entry.value) else { return Vec::new() };
        items.iter().map(|item| toml_input::read_with_every_fault(&item.value)).enumerate().collect()
    }

    /// Like [`Self::each`], for the tables of a section in which the operator chooses the tables' names. `path` is
    /// `SECTION.NAME`, such as `clients.NAME`.
    pub(super) fn named<I: DeserializeOwned, T, E: Into<Faults>>(
        &mut self,
        path: &str,
        check: impl Fn(&str, I) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        let Some(Value::Table(tables)) = self.entries.get(path).map(|entry| &entry.value) else {
            return Some(Vec::new());
        };
        let section = path.trim_end_matches(".NAME");
        let mut read = Vec::new();
        for (name, table) in tables {
            match checked(toml_input::read_with_every_fault(&table.value), |table| check(name, table)) {
                Ok(one) => read.push(one),
                Err(faults) => {
                    for fault in faults {
                        let origin = self.origin(path).at(fault.line(&table.value).or(Some(table.line)));
                        self.refuse_at(&origin, &fault.full_path(&format!("{section}.{name}")), fault.problem());
                    }
                }
            }
        }
        (read.len() == tables.len()).then_some(read)
    }
}

/// Checks a table that was read. Returns every fault of the table's fields, then those that the check found.
fn checked<I, T, E: Into<Faults>>(
    mut read: TableRead<I>,
    check: impl FnOnce(I) -> Result<T, E>,
) -> Result<T, Vec<Fault>> {
    let done = read.table.take().map(check);
    let mut faults = std::mem::take(&mut read.faults);
    match done {
        Some(Ok(one)) if faults.is_empty() => return Ok(one),
        Some(Err(found)) => faults.extend(found.into().0.into_iter().filter(|fault| !read.explains(fault))),
        _ => {}
    }
    Err(faults)
}

/// Accepts every value: the check of a key that may have any value of its type.
pub(super) const fn any<T>(value: T) -> Result<T, Fault> {
    Ok(value)
}

/// Checks that a duration is not zero.
pub(super) fn period(length: Seconds) -> Result<Seconds, &'static str> {
    if length == Seconds::ZERO { Err("must be at least 1s") } else { Ok(length) }
}
