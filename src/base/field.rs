//! A value that a caller gave and that we can't take: which field, and why.

use std::fmt;

/// One field that was refused. The text says what was wrong and what would be right;
/// it never repeats the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Dotted path of the field, as the caller wrote it: `runner.id`.
    pub field: String,
    /// What was wrong and what would be right, without the field's name.
    pub problem: String,
}

impl FieldError {
    /// A refusal of `field`, because of `problem`.
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
