//! A problem in the value of a key, with the path to the faulty part. A fault never repeats the value, which may be a
//! secret.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use super::value::{Located, Value};
use crate::base::FieldError;

/// One step of the path from a value down to a part of the value: an item of a list or a field of a table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum PathStep {
    Item(usize),
    Field(String),
}

/// A problem, and the path from a key's value to the part that has the problem.
#[derive(Debug)]
pub(crate) struct Fault {
    path: Vec<PathStep>,
    problem: String,
}

impl Fault {
    /// Returns this fault with the steps `outer` in front of its path, as seen from an enclosing value.
    pub(crate) fn below(mut self, outer: impl IntoIterator<Item = PathStep>) -> Self {
        self.path.splice(0..0, outer);
        self
    }

    /// Returns the path from the key's value to the faulty part.
    pub(crate) fn path(&self) -> &[PathStep] {
        &self.path
    }

    /// Returns this fault with another path.
    pub(crate) fn at(self, path: Vec<PathStep>) -> Self {
        Self { path, ..self }
    }

    pub(crate) fn problem(&self) -> &str {
        &self.problem
    }

    /// Appends the path of the faulty part to `path`: `issuance.rules` becomes `issuance.rules[0].name`.
    pub(crate) fn full_path(&self, path: &str) -> String {
        self.path.iter().fold(path.to_owned(), |path, step| match step {
            PathStep::Item(index) => format!("{path}[{index}]"),
            PathStep::Field(name) => format!("{path}.{name}"),
        })
    }

    /// Returns the line of the faulty part of `value`, or of the nearest enclosing part that exists.
    pub(crate) fn line(&self, value: &Value) -> Option<usize> {
        let (mut value, mut line) = (value, None);
        for step in &self.path {
            let part: Option<&Located> = match (step, value) {
                (PathStep::Item(index), Value::List(items)) => items.get(*index),
                (PathStep::Field(name), Value::Table(fields)) => fields.get(name),
                _ => None,
            };
            let Some(part) = part else { break };
            (value, line) = (&part.value, Some(part.line));
        }
        line
    }
}

/// All faults that a check found in one value.
#[derive(Debug)]
pub(crate) struct Faults(pub(crate) Vec<Fault>);

macro_rules! single_fault {
    ($($type:ty),+) => {
        $(impl From<$type> for Faults {
            fn from(fault: $type) -> Self {
                Self(vec![fault.into()])
            }
        })+
    };
}

single_fault!(Fault, String, &str, FieldError);

impl From<String> for Fault {
    fn from(problem: String) -> Self {
        Self { path: Vec::new(), problem }
    }
}

impl From<&str> for Fault {
    fn from(problem: &str) -> Self {
        problem.to_owned().into()
    }
}

impl From<FieldError> for Fault {
    fn from(error: FieldError) -> Self {
        Self::from(error.problem).below([PathStep::Field(error.field)])
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl std::error::Error for Fault {}

/// Replaces serde's own error texts, which repeat the faulty value. The texts here name only the type of the value.
impl de::Error for Fault {
    fn custom<T: fmt::Display>(problem: T) -> Self {
        problem.to_string().into()
    }

    fn invalid_type(actual: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let actual = match actual {
            Unexpected::Bool(_) => "true or false",
            Unexpected::Signed(_) | Unexpected::Unsigned(_) => "a whole number",
            Unexpected::Str(_) => "a string",
            Unexpected::Seq => "a list",
            Unexpected::Map => "a table",
            _ => "a number with a fraction or a date",
        };
        format!("must be {}, not {actual}", type_name(expected)).into()
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        match expected.to_string().as_str() {
            "u32" => format!("must be a whole number from 0 to {}", u32::MAX).into(),
            "u64" | "usize" => format!("must be a whole number from 0 to {}", i64::MAX).into(),
            _ => format!("must be {}", type_name(expected)).into(),
        }
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        match expected {
            [names @ .., last] if !names.is_empty() => format!("must be {} or {last}", names.join(", ")).into(),
            _ => format!("must be {}", expected.join(", ")).into(),
        }
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        format!("there is no such key; the known keys are {}", expected.join(", ")).into()
    }

    fn missing_field(field: &'static str) -> Self {
        Self::from("is missing").below([PathStep::Field(field.to_owned())])
    }
}

/// Returns the name that operators know for the expected type, because serde names Rust's types.
fn type_name(expected: &dyn Expected) -> String {
    let name = expected.to_string();
    match name.as_str() {
        "a borrowed string" | "path string" => "a string",
        "a boolean" => "true or false",
        "u32" | "u64" | "usize" => "a whole number",
        "a sequence" => "a list",
        "a map" => "a table",
        name if name.starts_with("struct ") => "a table",
        name => name,
    }
    .to_owned()
}
