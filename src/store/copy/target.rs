//! Writes to the PostgreSQL database to which an installation is copied. One transaction writes all rows, so that a
//! failed copy leaves the database as it was.

use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, PgConnection};

use super::tables::{ColumnKind, KIDS, ListedColumn, RowDigest, Table, Value, sort_by_references, tables};
use crate::base::Sha256;
use crate::store::error::StoreError;
use crate::store::postgres::{PostgresOptions, copy_target};

const COLUMNS: &str = "\
    select cast(t.relname as text), cast(c.attname as text), format_type(c.atttypid, null), \
        coalesce(cast(array_position(k.conkey, c.attnum) as bigint), 0) \
    from pg_class as t \
    join pg_attribute as c on c.attrelid = t.oid and c.attnum > 0 and not c.attisdropped \
    left join pg_constraint as k on k.conrelid = t.oid and k.contype = 'p' \
    where t.relkind = 'r' and t.relnamespace = cast(current_schema() as regnamespace) \
    order by t.relname, c.attname";

const REFERENCES: &str = "\
    select cast(f.relname as text), cast(t.relname as text) from pg_constraint as k \
    join pg_class as f on f.oid = k.conrelid join pg_class as t on t.oid = k.confrelid where k.contype = 'f'";

pub(super) struct Target {
    connection: PgConnection,
}

impl Target {
    /// Connects to the database, migrates the schema, and begins the transaction that writes all rows.
    pub(super) async fn open(options: &PostgresOptions) -> Result<Self, StoreError> {
        Ok(Self { connection: copy_target::begin(options).await? })
    }

    /// Returns the tables to copy; a table comes after the tables that it refers to.
    pub(super) async fn tables(&mut self) -> Result<Vec<Table>, StoreError> {
        let listed: Vec<ListedColumn> =
            sqlx::query_as(COLUMNS).fetch_all(&mut self.connection).await.map_err(copy_target::unavailable)?;
        let references: Vec<(String, String)> =
            sqlx::query_as(REFERENCES).fetch_all(&mut self.connection).await.map_err(copy_target::unavailable)?;
        Ok(sort_by_references(tables(listed)?, &references))
    }

    pub(super) async fn is_empty(&mut self, table: &Table) -> Result<bool, StoreError> {
        let statement = format!("select 1 from {} limit 1", table.name);
        let row = sqlx::query(AssertSqlSafe(statement)).fetch_optional(&mut self.connection).await;
        Ok(row.map_err(copy_target::unavailable)?.is_none())
    }

    /// Returns the ids of the signing keys in the database.
    pub(super) async fn kids(&mut self) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar(KIDS).fetch_all(&mut self.connection).await.map_err(copy_target::unavailable)
    }

    /// Writes rows of a table in one statement, which binds a list of values for each column.
    pub(super) async fn write(&mut self, table: &Table, rows: Vec<Vec<Value>>) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let lists = table.columns.iter().enumerate().map(|(at, column)| match column.kind {
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
        for (values, column) in columns.into_iter().zip(&table.columns) {
            query = match column.kind {
                ColumnKind::Bytes => query.bind(values.into_iter().map(bytes).collect::<Vec<_>>()),
                ColumnKind::Integer => query.bind(values.into_iter().map(integer).collect::<Vec<_>>()),
                ColumnKind::Text => query.bind(values.into_iter().map(text).collect::<Vec<_>>()),
            };
        }
        query.execute(&mut self.connection).await.map_err(copy_target::unavailable)?;
        Ok(())
    }

    /// Reads a table back within the transaction. Returns the number of rows and the digest of all rows.
    pub(super) async fn read(&mut self, table: &Table) -> Result<(u64, Sha256), StoreError> {
        let mut rows = sqlx::query(AssertSqlSafe(table.select())).fetch(&mut self.connection);
        let mut digest = RowDigest::default();
        while let Some(row) = rows.try_next().await.map_err(copy_target::unavailable)? {
            digest.add(&table.read(&row).map_err(copy_target::unavailable)?);
        }
        Ok(digest.finish())
    }

    pub(super) async fn commit(self) -> Result<(), StoreError> {
        copy_target::commit(self.connection).await
    }
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
