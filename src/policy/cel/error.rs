//! The errors of compiling a condition and of evaluating a condition. No error repeats a value that a condition read.

use std::fmt;

use ::cel::{ExecutionError, ParseErrors};

/// Error returned for an invalid condition: what is wrong, where, and the line of the condition with a caret under the
/// mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CelError {
    /// Text that says what is wrong with the condition, and what would be right.
    pub message: String,
    /// Number of the line with the mistake within the condition, from 1.
    pub line: usize,
    /// Column of the mistake within the line, in characters, from 1.
    pub column: usize,
    /// Text of the line with the mistake.
    pub snippet: String,
}

impl CelError {
    /// Creates an error at the character `offset` of the condition `source`. An offset past the end counts as the end.
    pub(super) fn at(source: &str, offset: usize, message: impl Into<String>) -> Self {
        let (mut line, mut column) = (1, 1);
        for character in source.chars().take(offset) {
            if character == '\n' {
                line += 1;
                column = 1;
            } else {
                column += 1;
            }
        }
        Self { message: message.into(), line, column, snippet: snippet(source, line) }
    }

    /// Creates an error from the parser's first syntax error. Later syntax errors usually result from the first.
    pub(super) fn syntax(source: &str, errors: &ParseErrors) -> Self {
        const MARK: &str = "Syntax error: ";
        let of_text = errors.errors.iter().find(|error| error.msg.starts_with(MARK));
        let Some(first) = of_text.or(errors.errors.first()) else {
            return Self::at(source, 0, "is not a CEL expression");
        };
        let place = |number: isize| usize::try_from(number).unwrap_or(1).max(1);
        // The parser lists a dozen expected tokens, which do not help the reader.
        let message = first.msg.trim_start_matches(MARK);
        let message = message.split(" expecting {").next().unwrap_or(message).to_owned();
        let (line, column) = (place(first.pos.0), place(first.pos.1));
        Self { message, line, column, snippet: snippet(source, line) }
    }
}

fn snippet(source: &str, line: usize) -> String {
    source.split('\n').nth(line.saturating_sub(1)).unwrap_or_default().trim_end_matches('\r').to_owned()
}

impl fmt::Display for CelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keeps tabs, so that the caret is under the right character in any terminal.
        let indent: String = self
            .snippet
            .chars()
            .chain(std::iter::repeat(' '))
            .take(self.column.saturating_sub(1))
            .map(|character| if character == '\t' { '\t' } else { ' ' })
            .collect();
        writeln!(f, "line {}, column {}: {}", self.line, self.column, self.message)?;
        writeln!(f, "  | {}", self.snippet)?;
        write!(f, "  | {indent}^")
    }
}

impl std::error::Error for CelError {}

/// Reason for which a condition could not be evaluated. Has no details, because the error texts of the `cel` crate
/// contain values that the condition read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum CelFailure {
    /// The condition's result is not a boolean.
    #[error("the condition's result is neither true nor false")]
    NotBoolean,
    /// The condition reads a key that a map does not have.
    #[error("a map lacks a key that the condition reads")]
    MissingKey,
    /// The condition reads an index past the end of a list.
    #[error("the condition reads past the end of a list")]
    OutOfRange,
    /// The condition divides by zero, or a number overflows.
    #[error("division by zero or arithmetic overflow")]
    Arithmetic,
    /// A list or object in the token has more entries than a condition may read.
    #[error("a claim has more than {} entries", super::facts::FOREIGN_ENTRIES)]
    TooLarge,
    /// An operator or function of the condition does not accept the type of a value.
    #[error("an operator or function does not accept the type of a value")]
    WrongType,
    /// A function of the condition rejected an argument, as in `int("x")`.
    #[error("a function does not accept the value of an argument")]
    Function,
    /// The evaluation failed in a way that the checks at compilation should have excluded.
    #[error("the evaluation failed unexpectedly")]
    Unexpected,
}

impl From<ExecutionError> for CelFailure {
    fn from(error: ExecutionError) -> Self {
        match error {
            ExecutionError::NoSuchKey(_) => Self::MissingKey,
            ExecutionError::IndexOutOfBounds(_) => Self::OutOfRange,
            ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) | ExecutionError::Overflow(..) => {
                Self::Arithmetic
            }
            ExecutionError::FunctionError { .. } => Self::Function,
            ExecutionError::NoSuchOverload(_)
            | ExecutionError::UnexpectedType { .. }
            | ExecutionError::UnsupportedTargetType { .. }
            | ExecutionError::NotSupportedAsMethod { .. }
            | ExecutionError::UnsupportedKeyType(_)
            | ExecutionError::ValuesNotComparable(..)
            | ExecutionError::UnsupportedBinaryOperator(..)
            | ExecutionError::UnsupportedIndex(..) => Self::WrongType,
            _ => Self::Unexpected,
        }
    }
}
