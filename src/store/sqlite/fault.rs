//! SQLite's errors as errors of the store. Never repeats a value of a statement or of a row.

use crate::store::StoreError;

/// Primary result codes (sqlite.org/rescode.html). The driver returns extended codes; their low byte is the primary code.
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

/// Returns whether another connection holds the lock.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    matches!(primary_code(error), Some(BUSY | LOCKED))
}

/// Returns whether a constraint rejected a row.
pub(super) fn is_constraint(error: &sqlx::Error) -> bool {
    primary_code(error) == Some(CONSTRAINT)
}

/// Returns whether a statement does not fit the schema.
pub(super) fn is_schema_mismatch(error: &sqlx::Error) -> bool {
    primary_code(error) == Some(ERROR)
}

/// Converts an error of the driver.
pub(in crate::store) fn unavailable(error: sqlx::Error) -> StoreError {
    let text = match primary_code(&error) {
        Some(BUSY | LOCKED) => "another process holds its lock".to_owned(),
        Some(READONLY) => "cannot write: the file or its folder is read-only".to_owned(),
        Some(IO) => format!("reading or writing the disk failed: {error}"),
        Some(MALFORMED) => format!("the file is damaged: {error}"),
        Some(FULL) => "the disk, or the size that the file may have, is full".to_owned(),
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

/// Error of a store that was closed or whose writer has ended.
pub(super) fn closed() -> StoreError {
    StoreError::Unavailable(CLOSED.to_owned())
}
