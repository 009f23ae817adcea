//! The tables that are copied, as the two schemas have them, and rows as values and bytes.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{ColumnIndex, Decode, Row, Type};

use crate::base::Sha256;
use crate::store::error::StoreError;

/// Tables that stay behind. Every other table is copied.
const LEFT_BEHIND: [&str; 3] = [
    // The target's own migrations fill it.
    "_sqlx_migrations",
    // It marks the source as moved; the target is not.
    "moved",
    // Settings of running servers: those of the source stop, and those of the target write their own.
    "server_settings",
];

/// What a column holds.
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
    /// Position in the primary key, from 1; 0 outside it.
    key_position: i64,
}

/// One table, its columns by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
}

impl Table {
    pub(super) fn column_list(&self) -> String {
        self.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Selects all rows in the order of the primary key, the same on both sides.
    pub(super) fn select(&self) -> String {
        let mut key: Vec<_> = self.columns.iter().filter(|column| column.key_position > 0).collect();
        key.sort_by_key(|column| column.key_position);
        let key = key.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ");
        format!("select {} from {} order by {key}", self.column_list(), self.name)
    }

    /// Reads a row of [`select`](Self::select).
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

/// A column as a schema lists it: table, name, type, position in the primary key.
pub(super) type ListedColumn = (String, String, String, i64);

/// Groups the columns of a schema, sorted by table and name, into the tables that are copied.
pub(super) fn tables(listed: Vec<ListedColumn>) -> Result<Vec<Table>, StoreError> {
    let mut tables: BTreeMap<String, Vec<Column>> = BTreeMap::new();
    for (table, name, kind, key_position) in listed {
        if LEFT_BEHIND.contains(&table.as_str()) {
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

/// Sorts tables so that every row finds the rows that it refers to. `references` holds pairs of a table and the table
/// that it refers to.
pub(super) fn sort_by_references(mut tables: Vec<Table>, references: &[(String, String)]) -> Vec<Table> {
    let mut sorted = Vec::with_capacity(tables.len());
    while !tables.is_empty() {
        let waiting: BTreeSet<_> = tables.iter().map(|table| table.name.clone()).collect();
        let must_wait = |table: &Table| {
            references.iter().any(|(from, to)| *from == table.name && from != to && waiting.contains(to))
        };
        let (mut ready, mut rest): (Vec<_>, Vec<_>) = tables.into_iter().partition(|table| !must_wait(table));
        if ready.is_empty() {
            // Tables that refer to each other in a circle: the target's constraints decide.
            ready.append(&mut rest);
        }
        sorted.append(&mut ready);
        tables = rest;
    }
    sorted
}

/// A value as either database returns it.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Bytes(Option<Vec<u8>>),
    Integer(Option<i64>),
    Text(Option<String>),
}

impl Value {
    /// Writes the length first, so that no two rows have the same encoding.
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

/// Counts rows, and chains them into one digest in their order.
#[derive(Default)]
pub(super) struct RowDigest {
    rows: u64,
    /// Digest of all rows so far.
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
