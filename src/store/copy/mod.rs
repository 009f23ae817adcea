//! Moving an installation from one file to a PostgreSQL database, keys and bound names and all, so that an operator can
//! outgrow one machine without a new issuer.
//!
//! Two databases have no common commit. The source is marked first: whoever would write there from then on is refused,
//! in whichever process. Then everything is copied in one transaction of the target, read again there and compared, and
//! that commits last. A copy that was cut off has changed nothing there, and is repeated from the marked source.

mod source;
mod tables;
mod target;

use std::path::Path;

use self::source::Source;
use self::tables::TABLES;
use self::target::Target;
use super::StoreError;
use super::postgres::PostgresOptions;
use crate::base::{Moment, Sha256};

/// What was copied of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedTable {
    /// Its name.
    pub name: &'static str,
    /// How many rows.
    pub rows: u64,
    /// Digest of all of them, the same on both sides.
    pub digest: Sha256,
}

/// Why nothing was copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// What stands in the target is not what was read from the source. The target was left as it was.
    #[error("{table}: {copied} rows were written and {found} are there, or they differ; nothing was committed")]
    Differs {
        /// Which table.
        table: &'static str,
        /// How many were read.
        copied: u64,
        /// How many stand in the target.
        found: u64,
    },
    /// The source went elsewhere before.
    #[error("the source was marked as moved to {0} before: finish that copy, or use the database there")]
    MovedElsewhere(String),
    /// The target is in use.
    #[error("the target holds an installation already ({table} has rows): an empty database is needed")]
    NotEmpty {
        /// Which table has rows.
        table: &'static str,
    },
    /// One of the two databases could not do its work.
    #[error("the {0} database: {1}")]
    Store(&'static str, StoreError),
}

fn of(side: &'static str) -> impl Fn(StoreError) -> CopyError {
    move |error| CopyError::Store(side, error)
}

/// Copies everything from a file to an empty database on a server.
///
/// # Errors
/// [`CopyError`]. Once the source is marked it stays so: the copy is to be repeated.
pub async fn copy(from: &Path, to: &PostgresOptions, now: Moment) -> Result<Vec<CopiedTable>, CopyError> {
    let mut target = Target::open(to).await.map_err(of("target"))?;
    for table in &TABLES {
        if !target.is_empty(table).await.map_err(of("target"))? {
            return Err(CopyError::NotEmpty { table: table.name });
        }
    }
    // Only now, when nothing else is in the way, does the source stop.
    let mut source = Source::open(from).await.map_err(of("source"))?;
    let place = to.to_string();
    let moved_to = source.mark(&place, now).await.map_err(of("source"))?;
    if moved_to != place {
        return Err(CopyError::MovedElsewhere(moved_to));
    }
    let mut copied = Vec::new();
    for table in &TABLES {
        let (rows, digest) = source.pour(table, &mut target).await?;
        let (found, found_digest) = target.read(table).await.map_err(of("target"))?;
        if (rows, digest) != (found, found_digest) {
            return Err(CopyError::Differs { table: table.name, copied: rows, found });
        }
        copied.push(CopiedTable { name: table.name, rows, digest });
    }
    target.commit().await.map_err(of("target"))?;
    source.close().await;
    Ok(copied)
}
