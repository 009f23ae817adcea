//! Failures of a store. Never caused by the caller: refusals have types of their own.

/// Error returned when the store fails. Whether a write happened is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Other transactions changed the same rows at every attempt; nothing was written.
    #[error("other transactions changed the same rows at every attempt: retry later")]
    Contended,
    /// A row holds a value that we never write: the act stops, no value is guessed.
    #[error("cannot read column {column} of table {table}: {problem}")]
    Corrupt {
        /// Name of the table.
        table: &'static str,
        /// Name of the column.
        column: &'static str,
        /// Problem with the value; never the value itself.
        problem: String,
    },
    /// The installation was copied to another database, named here.
    #[error("this installation moved to {0}: run the server on that database")]
    Moved(String),
    /// The schema is not one that this program can use.
    #[error("the database's schema: {0}")]
    Schema(String),
    /// The database is locked, full, unreachable or too slow.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
}

/// Result of an act that may be refused: the outer error is a failure of ours, the inner one a refusal. Either undoes the
/// whole transaction.
pub type Outcome<T, R> = Result<Result<T, R>, StoreError>;
