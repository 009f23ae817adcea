//! What can go wrong with a store. Never the caller's doing: refusals have types of their own.

/// The store could not do its work. Whether a write happened is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Other transactions were quicker at every try; nothing was written.
    #[error("the database is busy with the same rows")]
    Contended,
    /// A row holds what we never write: the act stops, nothing is guessed.
    #[error("column {column} of table {table} can't be read: {problem}")]
    Corrupt {
        /// Which table.
        table: &'static str,
        /// Which column.
        column: &'static str,
        /// What is wrong with the value, without the value.
        problem: String,
    },
    /// Everything went to another database.
    #[error("this installation moved to {0}: run the server on that database")]
    Moved(String),
    /// The schema is not the one that this program knows.
    #[error("the database's schema: {0}")]
    Schema(String),
    /// Locked, full, gone, or too slow.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
}
