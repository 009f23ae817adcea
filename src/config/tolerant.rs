//! Reads a table field by field although some fields are faulty, so that one run reports every fault. A faulty field is
//! left out, or replaced where the table requires the field. A value that was read with faults is only checked for
//! further faults, and never used.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;

use super::describe::{Key, ValueKind};
use super::deserializer;
use super::fault::{Fault, PathStep};
use super::value::{Located, Value};

/// A table, as far as the table could be read, and the faults of the table's fields.
pub(super) struct TableRead<T> {
    pub(super) table: Option<T>,
    pub(super) faults: Vec<Fault>,
    /// Paths of the parts that are not as written, because they were faulty.
    altered: Vec<Vec<PathStep>>,
}

impl<T> TableRead<T> {
    /// Whether a fault that a check found may be due to a part that is not as written. Such a fault is not reported.
    pub(super) fn explains(&self, fault: &Fault) -> bool {
        self.altered.iter().any(|altered| altered.starts_with(fault.path()) || fault.path().starts_with(altered))
    }
}

/// Reads `value` as a `T`. `keys` describes the fields that `T` requires.
pub(super) fn read<T: DeserializeOwned>(value: &Value, keys: &[Key]) -> TableRead<T> {
    let mut rest = value.clone();
    let mut done = TableRead { table: None, faults: Vec::new(), altered: Vec::new() };
    let mut tried = BTreeSet::new();
    let mut dropped: Vec<(Vec<PathStep>, usize)> = Vec::new();
    loop {
        let fault = match deserializer::read::<T>(&rest) {
            Ok(table) => {
                done.table = Some(table);
                return done;
            }
            Err(fault) => fault,
        };
        let path = fault.path().to_vec();
        let Some((last, parents)) = path.split_last() else {
            done.faults.push(fault);
            return done;
        };
        match (last, part(&mut rest, parents)) {
            (PathStep::Item(index), Some(Value::List(items))) if *index < items.len() => {
                items.remove(*index);
                let written = written_index(&dropped, parents, *index);
                dropped.push((parents.to_vec(), written));
                dropped.sort_by_key(|(_, index)| *index);
                done.faults.push(fault.at([parents, &[PathStep::Item(written)]].concat()));
                done.altered.push(parents.to_vec());
            }
            (PathStep::Field(name), Some(Value::Table(fields))) if tried.insert(fault.full_path("")) => {
                match keys.iter().find(|key| key.path == name && key.is_required) {
                    Some(key) => drop(fields.insert(name.clone(), Located { value: stand_in(key.kind), line: 0 })),
                    None => drop(fields.remove(name)),
                }
                done.faults.push(fault);
                done.altered.push(path);
            }
            (PathStep::Field(_), Some(Value::Table(_))) => return done,
            _ => {
                done.faults.push(fault);
                return done;
            }
        }
    }
}

fn part<'a>(value: &'a mut Value, path: &[PathStep]) -> Option<&'a mut Value> {
    path.iter().try_fold(value, |value, step| match (step, value) {
        (PathStep::Item(index), Value::List(items)) => items.get_mut(*index).map(|item| &mut item.value),
        (PathStep::Field(name), Value::Table(fields)) => fields.get_mut(name).map(|field| &mut field.value),
        _ => None,
    })
}

/// Returns the index of an item in the list as written. Items of the list that were dropped before have lower indices
/// in `dropped`, which is sorted.
fn written_index(dropped: &[(Vec<PathStep>, usize)], list: &[PathStep], index: usize) -> usize {
    let before = dropped.iter().filter(|(of, _)| of == list).map(|(_, index)| *index);
    before.fold(index, |index, dropped| if dropped <= index { index + 1 } else { index })
}

/// Returns a valid value for a required field that is missing or faulty.
fn stand_in(kind: ValueKind) -> Value {
    let text = || Value::Text("stand-in".to_owned());
    match kind {
        ValueKind::Text | ValueKind::Duration | ValueKind::Secret => text(),
        ValueKind::Integer => Value::Integer(1),
        ValueKind::Boolean => Value::Boolean(false),
        ValueKind::Texts => Value::List(vec![Located { value: text(), line: 0 }]),
        ValueKind::Tables => Value::List(Vec::new()),
        ValueKind::Table => Value::Table(std::collections::BTreeMap::new()),
    }
}
