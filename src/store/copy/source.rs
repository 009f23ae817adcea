//! The file that is left. Marked before the first row is read, so that no row comes after it.

use std::path::Path;

use futures_util::TryStreamExt;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::tables::{ColumnKind, Table, Tally, Value};
use super::target::Target;
use super::{CopyError, of};
use crate::base::{Moment, Sha256};
use crate::store::StoreError;
use crate::store::sqlite::moved_marker;

/// Rows that travel together.
const BATCH: usize = 500;

pub(super) struct Source {
    connection: SqliteConnection,
}

impl Source {
    pub(super) async fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { connection: moved_marker::connect(path).await? })
    }

    /// Marks the file; gives back where it is marked as moved to, which is elsewhere if it was marked before.
    pub(super) async fn mark(&mut self, to: &str, now: Moment) -> Result<String, StoreError> {
        moved_marker::mark(&mut self.connection, to, now).await
    }

    /// Pours a table into the target.
    pub(super) async fn pour(&mut self, table: &Table, target: &mut Target) -> Result<(u64, Sha256), CopyError> {
        let statement = format!("select {} from {} order by {}", table.column_list(), table.name, table.key);
        let unreadable = |error: sqlx::Error| CopyError::Store("source", moved_marker::unavailable(error));
        let mut rows = sqlx::query(AssertSqlSafe(statement)).fetch(&mut self.connection);
        let (mut tally, mut batch) = (Tally::default(), Vec::new());
        while let Some(row) = rows.try_next().await.map_err(unreadable)? {
            let row = read(table, &row).map_err(unreadable)?;
            tally.take(&row);
            batch.push(row);
            if batch.len() == BATCH {
                target.write(table, std::mem::take(&mut batch)).await.map_err(of("target"))?;
            }
        }
        target.write(table, batch).await.map_err(of("target"))?;
        Ok(tally.finish())
    }

    pub(super) async fn close(self) {
        moved_marker::close(self.connection).await;
    }
}

fn read(table: &Table, row: &SqliteRow) -> Result<Vec<Value>, sqlx::Error> {
    let value = |(at, (_, kind)): (usize, &(&str, ColumnKind))| {
        Ok(match kind {
            ColumnKind::Bytes => Value::Bytes(row.try_get(at)?),
            ColumnKind::Integer => Value::Integer(row.try_get(at)?),
            ColumnKind::Text => Value::Text(row.try_get(at)?),
        })
    };
    table.columns.iter().enumerate().map(value).collect()
}
