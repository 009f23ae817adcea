//! Describes the tables that are copied, and converts rows between SQLite, PostgreSQL and bytes to digest. A column of
//! an unknown type is never copied.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{ColumnIndex, Decode, Row, Type};

use crate::base::Sha256;
use crate::store::error::StoreError;

/// Tables that are not copied, each with the reason. Every other table is copied.
pub const LEFT_BEHIND: [(&str, &str); 3] = [
    ("_sqlx_migrations", "the migrations of the target fill it"),
    ("moved", "it marks the source as moved, and the target is not"),
    ("server_settings", "it holds settings of running servers: the servers of the target store their own"),
];

/// Statement that selects the id of every signing key, in both databases.
pub(super) const KIDS: &str = "select kid from signing_keys";

/// Type of the values in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnKind {
    Bytes,
    Integer,
    Text,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: ColumnKind,
    /// Position of the column in the primary key, from 1; 0 if the column is no part of the primary key.
    key_position: i64,
}

/// One table to copy, with its columns sorted by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
}

impl Table {
    pub(super) fn column_list(&self) -> String {
        self.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Returns the statement that selects all rows in the order of the primary key, which source and target share.
    pub(super) fn select(&self) -> String {
        let mut key: Vec<_> = self.columns.iter().filter(|column| column.key_position > 0).collect();
        key.sort_by_key(|column| column.key_position);
        let key = key.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ");
        format!("select {} from {} order by {key}", self.column_list(), self.name)
    }

    /// Reads the values of one row of [`select`](Self::select).
    pub(super) fn read<'r, R: Row>(&self, row: &'r R) -> Result<Vec<Value>, sqlx::Error>
    where
        for<'c> &'c str: ColumnIndex<R>,
        Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
        i64: Decode<'r, R::Database> + Type<R::Database>,
        String: Decode<'r, R::Database> + Type<R::Database>,
    {
        let value = |column: &Column| {
            let name = column.name.as_str();
            Ok(match column.kind {
                ColumnKind::Bytes => Value::Bytes(row.try_get(name)?),
                ColumnKind::Integer => Value::Integer(row.try_get(name)?),
                ColumnKind::Text => Value::Text(row.try_get(name)?),
            })
        };
        self.columns.iter().map(value).collect()
    }
}

/// A column as listed in a schema: the table's name, the column's name, its type, and its position in the primary key (0
/// if the column is not part of it).
pub(super) type ListedColumn = (String, String, String, i64);

/// Groups the columns of a schema into the tables that are copied. `listed` is sorted by table and name.
pub(super) fn tables(listed: Vec<ListedColumn>) -> Result<Vec<Table>, StoreError> {
    let mut tables: BTreeMap<String, Vec<Column>> = BTreeMap::new();
    for (table, name, kind, key_position) in listed {
        if LEFT_BEHIND.iter().any(|(name, _)| *name == table) {
            continue;
        }
        let kind = match kind.as_str() {
            "blob" | "bytea" => ColumnKind::Bytes,
            "bigint" | "integer" => ColumnKind::Integer,
            "text" => ColumnKind::Text,
            other => {
                let problem = format!("column {name} of table {table} has type {other}, which cannot be copied");
                return Err(StoreError::Schema(problem));
            }
        };
        tables.entry(table).or_default().push(Column { name, kind, key_position });
    }
    Ok(tables.into_iter().map(|(name, columns)| Table { name, columns }).collect())
}

/// Sorts tables so that each table comes after the tables that its rows refer to. `references` holds pairs of a table
/// and a table that the first one refers to.
pub(super) fn sort_by_references(mut tables: Vec<Table>, references: &[(String, String)]) -> Vec<Table> {
    let mut sorted = Vec::with_capacity(tables.len());
    while !tables.is_empty() {
        let waiting: BTreeSet<_> = tables.iter().map(|table| table.name.clone()).collect();
        let must_wait = |table: &Table| {
            references.iter().any(|(from, to)| *from == table.name && from != to && waiting.contains(to))
        };
        let (mut ready, mut rest): (Vec<_>, Vec<_>) = tables.into_iter().partition(|table| !must_wait(table));
        if ready.is_empty() {
            // The rest refer to each other in a circle: the target's constraints decide whether the rows can be
            // written.
            ready.append(&mut rest);
        }
        sorted.append(&mut ready);
        tables = rest;
    }
    sorted
}

/// Value of one column of a row, as SQLite or PostgreSQL returns the value.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Bytes(Option<Vec<u8>>),
    Integer(Option<i64>),
    Text(Option<String>),
}

impl Value {
    /// Appends the value to `into`, the bytes whose digest is computed. The length of the value comes first, so that
    /// different rows never have equal bytes.
    fn encode(&self, into: &mut Vec<u8>) {
        let bytes = match self {
            Self::Bytes(value) => value.clone(),
            Self::Integer(value) => value.map(|value| value.to_be_bytes().to_vec()),
            Self::Text(value) => value.as_ref().map(|value| value.as_bytes().to_vec()),
        };
        match bytes {
            None => into.extend((-1_i64).to_be_bytes()),
            Some(bytes) => {
                into.extend(i64::try_from(bytes.len()).unwrap_or(i64::MAX).to_be_bytes());
                into.extend(bytes);
            }
        }
    }
}

/// Counts rows, and computes one digest of all rows in their order.
#[derive(Default)]
pub(super) struct RowDigest {
    rows: u64,
    /// Digest of all rows that were added so far.
    chain: Vec<u8>,
}

impl RowDigest {
    pub(super) fn add(&mut self, row: &[Value]) {
        self.rows += 1;
        let mut bytes = std::mem::take(&mut self.chain);
        row.iter().for_each(|value| value.encode(&mut bytes));
        self.chain = Sha256::of(&bytes).as_bytes().to_vec();
    }

    pub(super) fn finish(self) -> (u64, Sha256) {
        (self.rows, Sha256::of(&self.chain))
    }
}
