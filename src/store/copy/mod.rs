//! Moves an installation from a SQLite file to a PostgreSQL database, keys and bound names included, so that an
//! operator can go from one server to several and keep the issuer.
//!
//! No transaction spans two databases. First the file is marked as moved: from then on every process refuses to write
//! to the file. Then one transaction of the PostgreSQL database writes all rows, reads the rows back, compares them,
//! and commits last. An interrupted copy has changed nothing in the PostgreSQL database, and is repeated from the
//! marked file.

mod error;
mod source;
mod tables;
mod target;

use std::path::Path;

pub use self::error::CopyError;
pub use self::tables::LEFT_BEHIND;

use self::error::of;
use self::source::Source;
use self::target::Target;
use super::postgres::PostgresOptions;
use crate::base::{Moment, Sha256};

/// Report on one table that was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedTable {
    /// Name of the table.
    pub name: String,
    /// Number of rows in the table.
    pub rows: u64,
    /// Digest of all rows of the table, equal in source and target.
    pub digest: Sha256,
}

/// Copies every table from a SQLite file to an empty PostgreSQL database, except tables that describe the database
/// itself.
///
/// # Errors
/// [`CopyError`]. A source that was marked as moved stays marked after an error; repeat the copy.
pub async fn copy(from: &Path, to: &PostgresOptions, now: Moment) -> Result<Vec<CopiedTable>, CopyError> {
    let mut target = Target::open(to).await.map_err(of("target"))?;
    let tables = target.tables().await.map_err(of("target"))?;
    let place = to.to_string();
    for table in &tables {
        if !target.is_empty(table).await.map_err(of("target"))? {
            if is_finished(from, &place, &mut target).await? {
                return Err(CopyError::Finished(place));
            }
            return Err(CopyError::NotEmpty { table: table.name.clone() });
        }
    }
    let mut source = Source::open(from).await.map_err(of("source"))?;
    let source_tables = source.tables().await.map_err(of("source"))?;
    if let Some(unknown) = source_tables.iter().find(|table| !tables.contains(table)) {
        return Err(CopyError::UnknownTable { table: unknown.name.clone() });
    }
    // The source stops accepting writes only now, after all checks of the target.
    let moved_to = source.mark(&place, now).await.map_err(of("source"))?;
    if moved_to != place {
        return Err(CopyError::MovedElsewhere(moved_to));
    }
    let mut copied = Vec::new();
    for table in tables.iter().filter(|table| source_tables.contains(table)) {
        let (rows, digest) = source.copy(table, &mut target).await?;
        let (found, found_digest) = target.read(table).await.map_err(of("target"))?;
        if (rows, digest) != (found, found_digest) {
            return Err(CopyError::Differs { table: table.name.clone(), copied: rows, found });
        }
        copied.push(CopiedTable { name: table.name.clone(), rows, digest });
    }
    target.commit().await.map_err(of("target"))?;
    source.close().await;
    Ok(copied)
}

/// Whether the file is marked as moved to `place`, and the target there holds every signing key of the file. The mark
/// alone is no proof of a finished copy: an operator who trusted it would delete the only file with the keys.
async fn is_finished(from: &Path, place: &str, target: &mut Target) -> Result<bool, CopyError> {
    let Some(kids) = Source::moved_kids(from, place).await.map_err(of("source"))? else { return Ok(false) };
    let copied = target.kids().await.map_err(of("target"))?;
    Ok(!kids.is_empty() && kids.iter().all(|kid| copied.contains(kid)))
}
