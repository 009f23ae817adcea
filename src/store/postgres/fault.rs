//! Converts errors of PostgreSQL and its driver to errors of the store, by SQLSTATE. A text must never repeat a value
//! of a statement or of a row. PostgreSQL's own message is repeated only if it is about missing objects or rights,
//! since such a message names no values.

use std::io;

use super::rights::explanation;
use crate::store::StoreError;

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(|code| code.into_owned())
}

/// Returns whether the error means that a constraint rejected a row.
pub(super) fn is_constraint(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| code.starts_with("23"))
}

/// Returns whether the error means that the connection must not be used again.
pub(super) fn ends_connection(error: &sqlx::Error) -> bool {
    match code(error) {
        // 57P…: the server ended the session. XX…: an internal error of the server.
        Some(code) => is_no_primary(error) || code.starts_with("57P") || code.starts_with("XX"),
        None => true,
    }
}

/// Returns whether the error means that the server is lost, stops, or no longer accepts writes. Then no connection that
/// was opened before may be used again, since the server's name may lead to another server by now.
pub(super) fn is_no_primary(error: &sqlx::Error) -> bool {
    match code(error) {
        // 25006: the server is read-only, as after a failover. 57P01 to 57P03: the server stops or starts. 08: the
        // connection failed.
        Some(code) => matches!(code.as_str(), "25006" | "57P01" | "57P02" | "57P03") || code.starts_with("08"),
        None => matches!(error, sqlx::Error::Io(_) | sqlx::Error::Tls(_)),
    }
}

/// Returns the error of a statement that the server did not answer in time. The connection's state is unknown then, and
/// so is whether the statement was executed.
pub(super) fn late() -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "PostgreSQL did not answer a statement in time"))
}

/// Converts an error of the driver to an error of the store.
pub(in crate::store) fn unavailable(error: sqlx::Error) -> StoreError {
    if let Some(text) = explanation(&error) {
        return StoreError::Unavailable(text.to_owned());
    }
    let text = match code(&error).as_deref() {
        // Serialization failure or deadlock: another attempt may succeed at once.
        Some("40001" | "40P01") => return StoreError::Contended,
        Some("25006") => "PostgreSQL is read-only: it is a standby, or became one".to_owned(),
        Some("28P01" | "28000") => "PostgreSQL refused the user or the password".to_owned(),
        Some("3D000") => "there is no such database on the PostgreSQL server".to_owned(),
        Some("42P01") => return StoreError::Schema("tables are missing: run `buildpass store migrate`".to_owned()),
        Some("53300") => "PostgreSQL accepts no more connections: raise its max_connections".to_owned(),
        Some("55P03") => "another session held a lock for too long".to_owned(),
        Some("57014") => "a statement took too long".to_owned(),
        Some("57P01" | "57P02" | "57P03") => "PostgreSQL is stopping or starting".to_owned(),
        Some("08P01") if unsupported_option(&error) => POOLER.to_owned(),
        // Errors about missing objects or rights: the message names objects and no values.
        Some(code) if ["28", "3D", "3F", "42"].iter().any(|class| code.starts_with(class)) => {
            let message = error.as_database_error().map_or("", |error| error.message());
            format!("PostgreSQL refused a statement (SQLSTATE {code}): {message}")
        }
        Some(other) => format!("PostgreSQL reported SQLSTATE {other}"),
        None => match error {
            sqlx::Error::PoolTimedOut => {
                "every connection was in use for too long, or PostgreSQL is unreachable".to_owned()
            }
            sqlx::Error::PoolClosed => CLOSED.to_owned(),
            sqlx::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => error.to_string(),
            sqlx::Error::RowNotFound => "PostgreSQL is read-only: it is a standby, or became one".to_owned(),
            other => other.to_string(),
        },
    };
    StoreError::Unavailable(text)
}

/// Returns whether the error comes from a pooler such as PgBouncer, which rejects options of a session.
fn unsupported_option(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.message().contains("unsupported startup parameter"))
}

/// Error text for a server behind a pooler that drops the settings of a session.
pub(super) const POOLER: &str = "a pooler (such as PgBouncer) in front of PostgreSQL drops or refuses the settings of a \
                                session, without which no statement has a deadline: connect to the server directly";

const CLOSED: &str = "the store was closed";

/// Returns the error of a store that was closed, or whose writing task has ended.
pub(super) fn closed() -> StoreError {
    StoreError::Unavailable(CLOSED.to_owned())
}
