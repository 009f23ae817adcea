//! Errors of copying an installation to another database. After an error the target database is as it was before.

use crate::store::error::StoreError;

/// Error returned when an installation was not copied. Nothing was written to the target.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The rows of a table that were read back from the target differ from the rows of the source.
    #[error("the copy of table {table} differs: {copied} rows written, {found} rows read back; nothing was committed")]
    Differs {
        /// Name of the table whose rows differ.
        table: String,
        /// Number of the table's rows that were read from the source.
        copied: u64,
        /// Number of the table's rows that were read back from the target.
        found: u64,
    },
    /// The copy was finished before: the source is marked as moved to the target, and the target holds the keys of the
    /// source. Holds the location of the target.
    #[error(
        "nothing was copied: this copy was finished before, and {0} holds the installation; start the server there"
    )]
    Finished(String),
    /// An earlier copy marked the source as moved to another database, whether that copy was completed or not. Holds
    /// the location of that database.
    #[error("the source is marked as moved to {0}: repeat the copy to that database, or start the server there")]
    MovedElsewhere(String),
    /// The target database is not empty.
    #[error("the target holds an installation already (table {table} has rows): an empty database is needed")]
    NotEmpty {
        /// Name of a table in the target that has rows.
        table: String,
    },
    /// One of the two databases failed. Holds which one, as `source` or `target`, and the error of that database.
    #[error("the {0} database failed: {1}")]
    Store(&'static str, StoreError),
    /// A table of the source is missing in the target, or has different columns there.
    #[error(
        "table {table} of the source does not exist in the target with the same columns: drop it in the source, or \
         create it in the target"
    )]
    UnknownTable {
        /// Name of the table.
        table: String,
    },
}

/// Returns a function that converts an error of one database to [`CopyError::Store`]. `side` names the database:
/// `source` or `target`.
pub(super) fn of(side: &'static str) -> impl Fn(StoreError) -> CopyError {
    move |error| CopyError::Store(side, error)
}
