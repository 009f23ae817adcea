//! What SQLite's errors mean to us. Never repeats a value of a statement or of a row.

use crate::store::StoreError;

/// Primary result codes (sqlite.org/rescode.html); the driver gives the extended ones, whose low byte is these.
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

/// The primary code of a fault that SQLite itself reported.
fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

/// Does another connection hold the lock that was wanted?
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    matches!(primary_code(error), Some(BUSY | LOCKED))
}

/// Did a constraint refuse a row?
pub(super) fn is_constraint(error: &sqlx::Error) -> bool {
    primary_code(error) == Some(CONSTRAINT)
}

/// Did a statement not fit the schema?
pub(super) fn is_misfit(error: &sqlx::Error) -> bool {
    primary_code(error) == Some(ERROR)
}

/// A fault of the database, as the store tells it.
pub(in crate::store) fn unavailable(error: sqlx::Error) -> StoreError {
    let text = match primary_code(&error) {
        Some(BUSY | LOCKED) => "another process holds its lock".to_owned(),
        Some(READONLY) => "it can't be written: the file or its folder is read-only".to_owned(),
        Some(IO) => format!("reading or writing the disk failed: {error}"),
        Some(MALFORMED) => format!("the file is damaged: {error}"),
        Some(FULL) => "the disk, or the size that the file may have, is full".to_owned(),
        Some(CANNOT_OPEN) => "the file can't be opened".to_owned(),
        Some(NOT_A_DATABASE) => return StoreError::Schema("the file is not a SQLite database".to_owned()),
        _ => match error {
            sqlx::Error::PoolTimedOut => "no connection became free in time".to_owned(),
            sqlx::Error::PoolClosed => CLOSED.to_owned(),
            other => other.to_string(),
        },
    };
    StoreError::Unavailable(text)
}

/// What a store says that was closed.
const CLOSED: &str = "it was closed";

/// The store was closed, or its writer is gone.
pub(super) fn closed() -> StoreError {
    StoreError::Unavailable(CLOSED.to_owned())
}
