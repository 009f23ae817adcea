//! Converts errors of SQLite and its driver to errors of the store. A text never repeats a value of a statement or of a
//! row.

use crate::store::StoreError;

/// Primary result codes of SQLite (sqlite.org/rescode.html). The driver returns extended codes; the low byte of an
/// extended code is the primary code.
const ERROR: i32 = 1;
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READONLY: i32 = 8;
const IO: i32 = 10;
const MALFORMED: i32 = 11;
const FULL: i32 = 13;
const CANNOT_OPEN: i32 = 14;
const CONSTRAINT: i32 = 19;
const NOT_A_DATABASE: i32 = 26;

/// Returns the primary code of an error that SQLite itself reported.
fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

/// Returns whether the error means that another connection holds the lock.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    matches!(primary_code(error), Some(BUSY | LOCKED))
}

/// Returns whether the error means that a constraint rejected a row.
pub(super) fn is_constraint(error: &sqlx::Error) -> bool {
    primary_code(error) == Some(CONSTRAINT)
}

/// Returns whether the error means that a statement does not fit the schema.
pub(super) fn is_schema_mismatch(error: &sqlx::Error) -> bool {
    primary_code(error) == Some(ERROR)
}

/// Converts an error of the driver to an error of the store.
pub(in crate::store) fn unavailable(error: sqlx::Error) -> StoreError {
    let text = match primary_code(&error) {
        Some(BUSY | LOCKED) => "another process holds the lock of the file".to_owned(),
        Some(READONLY) => "cannot write: the file or its folder is read-only".to_owned(),
        Some(IO) => format!("reading or writing the disk failed: {error}"),
        Some(MALFORMED) => format!("the file is damaged: {error}"),
        Some(FULL) => "the disk is full, or the file has reached its maximum size".to_owned(),
        Some(CANNOT_OPEN) => "cannot open the file: check its path and permissions".to_owned(),
        Some(NOT_A_DATABASE) => return StoreError::Schema("the file is not a SQLite database".to_owned()),
        _ => match error {
            sqlx::Error::PoolTimedOut => "every connection was in use for too long".to_owned(),
            sqlx::Error::PoolClosed => CLOSED.to_owned(),
            other => other.to_string(),
        },
    };
    StoreError::Unavailable(text)
}

const CLOSED: &str = "the store was closed";

/// Returns the error of a store that was closed, or whose writing task has ended.
pub(super) fn closed() -> StoreError {
    StoreError::Unavailable(CLOSED.to_owned())
}
