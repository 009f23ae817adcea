//! The error for one invalid field of a request, configuration or file: which field, and why. Never repeats the field's
//! value.

use std::fmt;

/// Error text of a parser: says what a valid text would be.
pub(crate) type ParseProblem = &'static str;

/// Error for one invalid field of an input. The text says what is wrong and what would be right, and never repeats the
/// field's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Dotted path of the invalid field in the input, such as `runner.id`.
    pub field: String,
    /// Text that says what is wrong with the field's value and what would be right, without the field's name.
    pub problem: String,
}

impl FieldError {
    /// Creates the error for the field `field`. `problem` says what is wrong with the field's value.
    pub fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.problem)
    }
}

impl std::error::Error for FieldError {}
