//! Why a condition was not loaded, and why one gave no answer. Neither says what the values were.

use std::fmt;

use ::cel::{ExecutionError, ParseErrors};

/// A condition that can't be loaded: what is wrong, where, and the line itself with a caret under the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CelError {
    /// What is wrong and what would be right.
    pub message: String,
    /// Line within the condition, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The text of that line.
    pub snippet: String,
}

impl CelError {
    /// A mistake at the character number `offset` of `source`; past the end means at its end.
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

    /// The first of the parser's complaints about the text; what follows from it the parser tells as well.
    pub(super) fn syntax(source: &str, errors: &ParseErrors) -> Self {
        const MARK: &str = "Syntax error: ";
        let of_text = errors.errors.iter().find(|error| error.msg.starts_with(MARK));
        let Some(first) = of_text.or(errors.errors.first()) else {
            return Self::at(source, 0, "is not CEL");
        };
        let place = |number: isize| usize::try_from(number).unwrap_or(1).max(1);
        // Where a dozen tokens would be right, their list says nothing.
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
        // Tabs stay tabs, so that the caret stands under its character in any terminal.
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

/// Why a condition that was loaded gave no answer. The kind alone: the crate's own texts quote the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum CelFailure {
    /// The answer was something other than true or false.
    #[error("the answer is neither true nor false")]
    NotBoolean,
    /// A map was asked for a key that it has not.
    #[error("a key is not there")]
    MissingKey,
    /// A list was asked for an element past its end.
    #[error("an index is out of range")]
    OutOfRange,
    /// A division by zero, or a number that is too large.
    #[error("the arithmetic has no result")]
    Arithmetic,
    /// A list or map from outside has more entries than a condition may walk through.
    #[error("a claim holds more than 200 entries")]
    TooLarge,
    /// An operator or function met a value of a type that it doesn't take.
    #[error("a value has the wrong type")]
    WrongType,
    /// A function could not work with its argument, such as `int("x")`.
    #[error("a function could not work with its argument")]
    Function,
    /// Something that the checks at loading should have found.
    #[error("the condition can't be evaluated")]
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
