//! Why an installation was not copied. In every case the target is left as it was.

use crate::store::error::StoreError;

/// Error returned when nothing was copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// Rows read back from the target differ from those of the source.
    #[error(
        "table {table}: {copied} rows were written and {found} were read back, or they differ; nothing was committed"
    )]
    Differs {
        /// Name of the table.
        table: String,
        /// Number of rows read from the source.
        copied: u64,
        /// Number of rows read back from the target.
        found: u64,
    },
    /// The source was copied, or began to be copied, to another database.
    #[error("the source is marked as moved to {0}: finish that copy, or use the database there")]
    MovedElsewhere(String),
    /// The target is in use.
    #[error("the target holds an installation already (table {table} has rows): an empty database is needed")]
    NotEmpty {
        /// Name of a table that has rows.
        table: String,
    },
    /// One of the two databases failed: `source` or `target`, and how.
    #[error("the {0} database: {1}")]
    Store(&'static str, StoreError),
    /// The source has a table that the target does not have with the same columns.
    #[error("table {table} of the source does not exist in the target with the same columns: drop it, or add it there")]
    UnknownTable {
        /// Name of the table.
        table: String,
    },
}

/// Names the side on which a store failed.
pub(super) fn of(side: &'static str) -> impl Fn(StoreError) -> CopyError {
    move |error| CopyError::Store(side, error)
}
