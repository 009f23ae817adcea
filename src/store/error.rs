//! Errors of a database that failed. A refusal, which the client caused, is never a [`StoreError`] but has its own
//! type.

/// Error returned when the store fails. Unless the variant says otherwise, a write may or may not have happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Other transactions changed the same rows at every attempt; nothing was written.
    #[error("other transactions changed the same rows at every attempt: retry later")]
    Contended,
    /// A row holds a value that this program never writes. The method fails; no value is guessed.
    #[error("cannot read column {column} of table {table}: {problem}")]
    Corrupt {
        /// Name of the table that holds the value.
        table: &'static str,
        /// Name of the column that holds the value.
        column: &'static str,
        /// Description of the problem with the value; never the value itself.
        problem: String,
    },
    /// The installation was copied to another database and must not be written here any more; holds the location of
    /// that database.
    #[error("this installation moved to {0}: run the server on that database")]
    Moved(String),
    /// This program cannot use the database's schema; holds the reason.
    #[error("cannot use the database's schema: {0}")]
    Schema(String),
    /// The database is locked, full, unreachable or too slow; holds the reason.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
}

/// Result of a transaction that may be refused: the outer error means that the store failed, the inner error is a
/// refusal. After either error the whole transaction is rolled back.
pub type Outcome<T, R> = Result<Result<T, R>, StoreError>;
