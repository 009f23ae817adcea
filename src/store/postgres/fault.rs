//! What PostgreSQL's errors mean to us, by their SQLSTATE. Never repeats a value of a statement or of a row, and never
//! the driver's text of a statement's fault, which ends in a line of the server's source.

use crate::store::StoreError;

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(|code| code.into_owned())
}

/// Did a constraint refuse a row?
pub(super) fn is_constraint(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| code.starts_with("23"))
}

/// Is the connection of no more use: gone, or to a server that can't be written any more?
pub(super) fn ends_connection(error: &sqlx::Error) -> bool {
    match code(error) {
        // Read-only, which is what a failover leaves behind; the server's end; broken beyond a rollback.
        Some(code) => code == "25006" || code.starts_with("57") || code.starts_with("08") || code.starts_with("XX"),
        None => true,
    }
}

/// A fault of the database, as the store tells it.
pub(in crate::store) fn unavailable(error: sqlx::Error) -> StoreError {
    let text = match code(&error).as_deref() {
        // Two transactions could not both be: the same act may succeed at once.
        Some("40001" | "40P01") => return StoreError::Contended,
        Some("25006") => "the server is read-only: it is a standby, or became one".to_owned(),
        Some("28P01" | "28000") => "the server refused the user or the password".to_owned(),
        Some("3D000") => "there is no such database on the server".to_owned(),
        Some("42501") => "the user may not do this in the database".to_owned(),
        Some("42P01") => return StoreError::Schema("tables are missing: run `buildpass store migrate`".to_owned()),
        Some("53300") => "the server takes no more connections".to_owned(),
        Some("55P03") => "another session held a lock for too long".to_owned(),
        Some("57014") => "a statement took too long".to_owned(),
        Some("57P01" | "57P02" | "57P03") => "the server is stopping or starting".to_owned(),
        Some("08P01") if unsupported_option(&error) => POOLER.to_owned(),
        Some(other) => format!("the server reported SQLSTATE {other}"),
        None => match error {
            sqlx::Error::PoolTimedOut => "no connection could be had in time".to_owned(),
            sqlx::Error::PoolClosed => CLOSED.to_owned(),
            sqlx::Error::RowNotFound => "the server is read-only: it is a standby, or became one".to_owned(),
            other => other.to_string(),
        },
    };
    StoreError::Unavailable(text)
}

/// PgBouncer says so of options that it does not pass on.
fn unsupported_option(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.message().contains("unsupported startup parameter"))
}

/// What is said of a pooler that gives each transaction another session.
pub(super) const POOLER: &str = "a pooler (PgBouncer, or one like it) stands before the server and passes no session \
                                settings on: connect to PostgreSQL own_issuer";

/// What a store says that was closed.
const CLOSED: &str = "it was closed";

/// The store was closed, or its writer is gone.
pub(super) fn closed() -> StoreError {
    StoreError::Unavailable(CLOSED.to_owned())
}
