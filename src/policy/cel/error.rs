//! Errors of compiling and of evaluating a condition. Neither repeats a value.

use std::fmt;

use ::cel::{ExecutionError, ParseErrors};

/// Error returned for an invalid condition: what is wrong, where, and the line with a caret under the mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CelError {
    /// Says what is wrong and what would be right.
    pub message: String,
    /// Line of the mistake within the condition, from 1.
    pub line: usize,
    /// Column of the mistake in characters, from 1.
    pub column: usize,
    /// Text of the line.
    pub snippet: String,
}

impl CelError {
    /// Creates an error at the character `offset` of `source`. An offset past the end means the end.
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

    /// Takes the first syntax error of the parser. Later ones usually follow from it.
    pub(super) fn syntax(source: &str, errors: &ParseErrors) -> Self {
        const MARK: &str = "Syntax error: ";
        let of_text = errors.errors.iter().find(|error| error.msg.starts_with(MARK));
        let Some(first) = of_text.or(errors.errors.first()) else {
            return Self::at(source, 0, "is not a CEL expression");
        };
        let place = |number: isize| usize::try_from(number).unwrap_or(1).max(1);
        // The parser's list of a dozen expected tokens does not help.
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
        // Keeps tabs, so that the caret is under its character in any terminal.
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

/// Reason for which a condition has no result. Without details, because the crate's texts quote values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum CelFailure {
    /// The result is not a boolean.
    #[error("the result is neither true nor false")]
    NotBoolean,
    /// A map does not have the key.
    #[error("no such key")]
    MissingKey,
    /// An index is past the end of its list.
    #[error("index out of range")]
    OutOfRange,
    /// A division by zero or an overflow.
    #[error("division by zero or arithmetic overflow")]
    Arithmetic,
    /// A list or map of a token has more entries than a condition may visit.
    #[error("a claim has more than 200 entries")]
    TooLarge,
    /// An operator or function does not accept the type of a value.
    #[error("a value has the wrong type")]
    WrongType,
    /// A function rejected its argument, such as `int("x")`.
    #[error("invalid argument of a function")]
    Function,
    /// A failure that the checks at compilation should have found.
    #[error("the condition cannot be evaluated")]
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
