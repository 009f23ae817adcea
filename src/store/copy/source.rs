//! Reads the SQLite file from which an installation is copied. The file is marked as moved before the first row is
//! read, so that no row is written after the copy.

use std::path::Path;

use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::error::{CopyError, of};
use super::tables::{KIDS, ListedColumn, RowDigest, Table, tables};
use super::target::Target;
use crate::base::{Moment, Sha256};
use crate::store::error::StoreError;
use crate::store::sqlite::moved_marker;

/// Maximum number of rows that one statement writes to the target.
const BATCH: usize = 500;

const COLUMNS: &str = "\
    select t.name, c.name, lower(c.type), c.pk from sqlite_schema as t join pragma_table_info(t.name) as c \
    where t.type = 'table' and t.name not like 'sqlite\\_%' escape '\\' order by t.name, c.name";

pub(super) struct Source {
    connection: SqliteConnection,
}

impl Source {
    pub(super) async fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { connection: moved_marker::connect(path).await? })
    }

    /// Returns the ids of the signing keys in the file, or `None` if the file does not exist or is not marked as moved to
    /// `place`. Never changes the file.
    pub(super) async fn moved_kids(path: &Path, place: &str) -> Result<Option<Vec<String>>, StoreError> {
        let Some(mut connection) = moved_marker::connect_if_moved_to(path, place).await? else { return Ok(None) };
        let kids = sqlx::query_scalar(KIDS).fetch_all(&mut connection).await.map_err(moved_marker::unavailable);
        moved_marker::close(connection).await;
        kids.map(Some)
    }

    pub(super) async fn tables(&mut self) -> Result<Vec<Table>, StoreError> {
        let listed: Vec<ListedColumn> =
            sqlx::query_as(COLUMNS).fetch_all(&mut self.connection).await.map_err(moved_marker::unavailable)?;
        tables(listed)
    }

    /// Marks the file as moved to the database `to`. Returns the database in the mark, which may be another one if the
    /// file was marked before.
    pub(super) async fn mark(&mut self, to: &str, now: Moment) -> Result<String, StoreError> {
        moved_marker::mark(&mut self.connection, to, now).await
    }

    /// Copies all rows of a table to the target. Returns the number of rows and the digest of all rows.
    pub(super) async fn copy(&mut self, table: &Table, target: &mut Target) -> Result<(u64, Sha256), CopyError> {
        let unreadable = |error: sqlx::Error| CopyError::Store("source", moved_marker::unavailable(error));
        let mut rows = sqlx::query(AssertSqlSafe(table.select())).fetch(&mut self.connection);
        let (mut digest, mut batch) = (RowDigest::default(), Vec::new());
        while let Some(row) = rows.try_next().await.map_err(unreadable)? {
            let row = table.read(&row).map_err(unreadable)?;
            digest.add(&row);
            batch.push(row);
            if batch.len() == BATCH {
                target.write(table, std::mem::take(&mut batch)).await.map_err(of("target"))?;
            }
        }
        target.write(table, batch).await.map_err(of("target"))?;
        Ok(digest.finish())
    }

    pub(super) async fn close(self) {
        moved_marker::close(self.connection).await;
    }
}
