//! The error for one invalid field of a caller's input: which field, and why. Never repeats the value.

use std::fmt;

/// What a text must be in order to be parsed.
pub(crate) type ParseProblem = &'static str;

/// Error for one invalid field. The text says what is wrong and what would be right, and never repeats the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Dotted path of the field, as the caller wrote it, such as `runner.id`.
    pub field: String,
    /// What is wrong and what would be right, without the field's name.
    pub problem: String,
}

impl FieldError {
    /// Creates the error of `field` with the text `problem`.
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
