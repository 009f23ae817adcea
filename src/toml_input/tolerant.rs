//! Reads a table field by field although some fields are faulty, so that one run reports every fault. A faulty field is
//! left out, or replaced where the table requires the field. A value that was read with faults is only checked for
//! further faults, and never used.

use std::collections::{BTreeMap, HashMap};

use serde::de::DeserializeOwned;

use super::deserializer;
use super::fault::{Fault, PathStep};
use super::value::{Located, Value};

/// A table, as far as the table could be read, and the faults of the table's fields.
pub(crate) struct TableRead<T> {
    pub(crate) table: Option<T>,
    pub(crate) faults: Vec<Fault>,
    /// Paths of the faulty parts, which were left out or replaced.
    altered: Vec<Vec<PathStep>>,
}

impl<T> TableRead<T> {
    /// Whether `fault`, which a later check found, may result from a part that was left out or replaced. Such a fault
    /// is not reported.
    pub(crate) fn explains(&self, fault: &Fault) -> bool {
        self.altered.iter().any(|altered| altered.starts_with(fault.path()) || fault.path().starts_with(altered))
    }
}

/// Reads `value` as a `T` even if parts of the value are faulty, and collects every fault.
pub(crate) fn read_with_every_fault<T: DeserializeOwned>(value: &Value) -> TableRead<T> {
    let mut rest = value.clone();
    let mut done = TableRead { table: None, faults: Vec::new(), altered: Vec::new() };
    // Number of stand-ins that were tried for each faulty field.
    let mut tried: HashMap<Vec<PathStep>, usize> = HashMap::new();
    let mut dropped: Vec<(Vec<PathStep>, usize)> = Vec::new();
    let mut filled: Vec<Vec<PathStep>> = Vec::new();
    loop {
        let fault = match deserializer::read::<T>(&rest) {
            Ok(table) => {
                done.table = Some(table);
                return done;
            }
            Err(fault) => fault,
        };
        let path = fault.path().to_vec();
        let is_written = !filled.iter().any(|filled| path.starts_with(filled));
        let Some((last, parents)) = path.split_last() else {
            done.faults.push(fault);
            return done;
        };
        match (last, part(&mut rest, parents)) {
            (PathStep::Item(index), Some(Value::List(items))) if *index < items.len() => {
                items.remove(*index);
                if is_written {
                    let written = written_index(&dropped, parents, *index);
                    dropped.push((parents.to_vec(), written));
                    dropped.sort_by_key(|(_, index)| *index);
                    done.faults.push(fault.at([parents, &[PathStep::Item(written)]].concat()));
                    done.altered.push(parents.to_vec());
                }
            }
            (PathStep::Field(name), Some(Value::Table(fields))) => {
                let count = tried.get(&path).copied();
                if count.is_none() && is_written {
                    done.faults.push(fault);
                    done.altered.push(path.clone());
                }
                // A faulty field is left out at first. If the field is required, the next fault says that it is
                // missing.
                let is_left_out = count.is_none() && fields.remove(name).is_some();
                if !is_left_out {
                    let Some(value) = stand_in(count.unwrap_or_default()) else { return done };
                    fields.insert(name.clone(), Located { value, line: 0 });
                    filled.push(path.clone());
                }
                tried.insert(path, count.map_or(usize::from(!is_left_out), |count| count + 1));
            }
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

/// Converts an index in a list without its `dropped` items into the index in the list as the operator wrote it. `dropped`
/// must be sorted.
fn written_index(dropped: &[(Vec<PathStep>, usize)], list: &[PathStep], index: usize) -> usize {
    let before = dropped.iter().filter(|(of, _)| of == list).map(|(_, index)| *index);
    before.fold(index, |index, dropped| if dropped <= index { index + 1 } else { index })
}

/// Returns a value to try in place of a required field that is missing or faulty. Each number gives a value of another
/// type; `None` after the last type.
fn stand_in(number: usize) -> Option<Value> {
    let text = || Value::Text("stand-in".to_owned());
    match number {
        0 => Some(text()),
        1 => Some(Value::List(vec![Located { value: text(), line: 0 }])),
        2 => Some(Value::Table(BTreeMap::new())),
        3 => Some(Value::Integer(1)),
        4 => Some(Value::Boolean(false)),
        _ => None,
    }
}
