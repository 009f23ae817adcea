//! The database on a server that an installation moves to: everything in one transaction, which ends it or leaves it as
//! it was.

use futures_util::TryStreamExt;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::tables::{ColumnKind, Table, Tally, Value};
use crate::base::Sha256;
use crate::store::StoreError;
use crate::store::postgres::{PostgresOptions, copy_target};

pub(super) struct Target {
    connection: PgConnection,
}

impl Target {
    /// Connects, and begins the transaction.
    pub(super) async fn open(options: &PostgresOptions) -> Result<Self, StoreError> {
        Ok(Self { connection: copy_target::begin(options).await? })
    }

    pub(super) async fn is_empty(&mut self, table: &Table) -> Result<bool, StoreError> {
        let statement = format!("select 1 from {} limit 1", table.name);
        let row = sqlx::query(AssertSqlSafe(statement)).fetch_optional(&mut self.connection).await;
        Ok(row.map_err(copy_target::unavailable)?.is_none())
    }

    /// Writes rows in one statement: a list for each column.
    pub(super) async fn write(&mut self, table: &Table, rows: Vec<Vec<Value>>) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let lists = table.columns.iter().enumerate().map(|(at, (_, kind))| match kind {
            ColumnKind::Bytes => format!("${}::bytea[]", at + 1),
            ColumnKind::Integer => format!("${}::bigint[]", at + 1),
            ColumnKind::Text => format!("${}::text[]", at + 1),
        });
        let lists = lists.collect::<Vec<_>>().join(", ");
        let statement = format!("insert into {} ({}) select * from unnest({lists})", table.name, table.column_list());
        let mut query = sqlx::query(AssertSqlSafe(statement));
        let mut columns: Vec<Vec<Value>> = table.columns.iter().map(|_| Vec::with_capacity(rows.len())).collect();
        for row in rows {
            columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
        }
        for (column, (_, kind)) in columns.into_iter().zip(table.columns) {
            query = match kind {
                ColumnKind::Bytes => query.bind(column.into_iter().map(bytes).collect::<Vec<_>>()),
                ColumnKind::Integer => query.bind(column.into_iter().map(integer).collect::<Vec<_>>()),
                ColumnKind::Text => query.bind(column.into_iter().map(text).collect::<Vec<_>>()),
            };
        }
        query.execute(&mut self.connection).await.map_err(copy_target::unavailable)?;
        Ok(())
    }

    /// Reads a table again as it stands there now.
    pub(super) async fn read(&mut self, table: &Table) -> Result<(u64, Sha256), StoreError> {
        let statement = format!("select {} from {} order by {}", table.column_list(), table.name, table.key);
        let mut rows = sqlx::query(AssertSqlSafe(statement)).fetch(&mut self.connection);
        let mut tally = Tally::default();
        while let Some(row) = rows.try_next().await.map_err(copy_target::unavailable)? {
            tally.take(&read(table, &row).map_err(copy_target::unavailable)?);
        }
        Ok(tally.finish())
    }

    pub(super) async fn commit(self) -> Result<(), StoreError> {
        copy_target::commit(self.connection).await
    }
}

fn read(table: &Table, row: &PgRow) -> Result<Vec<Value>, sqlx::Error> {
    let value = |(at, (_, kind)): (usize, &(&str, ColumnKind))| {
        Ok(match kind {
            ColumnKind::Bytes => Value::Bytes(row.try_get(at)?),
            ColumnKind::Integer => Value::Integer(row.try_get(at)?),
            ColumnKind::Text => Value::Text(row.try_get(at)?),
        })
    };
    table.columns.iter().enumerate().map(value).collect()
}

fn bytes(value: Value) -> Option<Vec<u8>> {
    if let Value::Bytes(bytes) = value { bytes } else { None }
}

fn integer(value: Value) -> Option<i64> {
    if let Value::Integer(integer) = value { integer } else { None }
}

fn text(value: Value) -> Option<String> {
    if let Value::Text(text) = value { text } else { None }
}
