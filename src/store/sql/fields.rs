//! Reads the columns of a row by name. A value that this program never writes is not guessed but fails as
//! [`StoreError::Corrupt`]; the error's text never repeats the value.

use std::str::FromStr;

use serde::de::DeserializeOwned;
use sqlx::{Decode, Row, Type};

use super::driver::{Db, DbRow};
use crate::base::{Moment, Sha256};
use crate::store::StoreError;

/// A row that a select returned, with the name of the table whose columns are read.
pub(super) struct Fields<'r> {
    row: &'r DbRow,
    table: &'static str,
    /// Prefix that the select adds to the names of the table's columns; empty if the select reads one table.
    prefix: &'static str,
}

impl<'r> Fields<'r> {
    pub(super) fn of(row: &'r DbRow, table: &'static str) -> Self {
        Self::joined(row, table, "")
    }

    /// Reads the columns of one table in a row that joins tables. `prefix` stands before the table's column names in
    /// the select.
    pub(super) fn joined(row: &'r DbRow, table: &'static str, prefix: &'static str) -> Self {
        Self { row, table, prefix }
    }

    fn get<T>(&self, column: &'static str) -> Result<T, StoreError>
    where
        T: Decode<'r, Db> + Type<Db>,
    {
        let value = match self.prefix {
            "" => self.row.try_get(column),
            prefix => self.row.try_get(format!("{prefix}{column}").as_str()),
        };
        // The driver's text names types, never values.
        value.map_err(|error| match error {
            sqlx::Error::ColumnDecode { .. } => self.corrupt(column, "is not of the column's type"),
            other => self.corrupt(column, other),
        })
    }

    /// Reads a value that must not be null. The value is decoded as an `Option`, since SQLite's driver otherwise
    /// decodes null as an empty value.
    fn required<T>(&self, column: &'static str) -> Result<T, StoreError>
    where
        T: Decode<'r, Db> + Type<Db>,
    {
        self.get::<Option<T>>(column)?.ok_or_else(|| self.corrupt(column, "is null"))
    }

    /// Returns the error for a value of `column` that cannot be read.
    pub(super) fn corrupt(&self, column: &'static str, problem: impl ToString) -> StoreError {
        StoreError::Corrupt { table: self.table, column, problem: problem.to_string() }
    }

    pub(super) fn text(&self, column: &'static str) -> Result<String, StoreError> {
        self.required(column)
    }

    pub(super) fn optional_text(&self, column: &'static str) -> Result<Option<String>, StoreError> {
        self.get(column)
    }

    /// Reads a text and converts the text with `read`. Fails if `read` returns `None`.
    pub(super) fn named<T>(&self, column: &'static str, read: impl FnOnce(&str) -> Option<T>) -> Result<T, StoreError> {
        read(self.required(column)?).ok_or_else(|| self.corrupt(column, "holds a word that this program does not know"))
    }

    pub(super) fn parsed<T: FromStr>(&self, column: &'static str) -> Result<T, StoreError> {
        self.named(column, |text| text.parse().ok())
    }

    pub(super) fn optional_parsed<T: FromStr>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        let text: Option<&str> = self.get(column)?;
        text.map(|text| text.parse().map_err(|_| self.corrupt(column, "has the wrong form"))).transpose()
    }

    pub(super) fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, StoreError> {
        let text: &str = self.required(column)?;
        self.read_json(column, text)
    }

    pub(super) fn optional_json<T: DeserializeOwned>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        let text: Option<&str> = self.get(column)?;
        text.map(|text| self.read_json(column, text)).transpose()
    }

    fn read_json<T: DeserializeOwned>(&self, column: &'static str, text: &str) -> Result<T, StoreError> {
        // The parser's own text may repeat a value, so only the position is reported.
        serde_json::from_str(text).map_err(|error| {
            self.corrupt(column, format!("is not the expected JSON (line {}, column {})", error.line(), error.column()))
        })
    }

    pub(super) fn moment(&self, column: &'static str) -> Result<Moment, StoreError> {
        self.required(column).map(Moment::from_unix)
    }

    pub(super) fn optional_moment(&self, column: &'static str) -> Result<Option<Moment>, StoreError> {
        let seconds: Option<i64> = self.get(column)?;
        Ok(seconds.map(Moment::from_unix))
    }

    pub(super) fn count(&self, column: &'static str) -> Result<u64, StoreError> {
        let number: i64 = self.required(column)?;
        u64::try_from(number).map_err(|_| self.corrupt(column, "is negative"))
    }

    pub(super) fn optional_count(&self, column: &'static str) -> Result<Option<u64>, StoreError> {
        let number: Option<i64> = self.get(column)?;
        number.map(|number| u64::try_from(number).map_err(|_| self.corrupt(column, "is negative"))).transpose()
    }

    pub(super) fn bytes(&self, column: &'static str) -> Result<Vec<u8>, StoreError> {
        self.required(column)
    }

    pub(super) fn optional_bytes(&self, column: &'static str) -> Result<Option<Vec<u8>>, StoreError> {
        self.get(column)
    }

    pub(super) fn digest(&self, column: &'static str) -> Result<Sha256, StoreError> {
        let bytes: &[u8] = self.required(column)?;
        Sha256::from_stored(bytes).ok_or_else(|| self.corrupt(column, "is not 32 bytes"))
    }

    pub(super) fn optional_digest(&self, column: &'static str) -> Result<Option<Sha256>, StoreError> {
        let bytes: Option<&[u8]> = self.get(column)?;
        bytes.map(|bytes| Sha256::from_stored(bytes).ok_or_else(|| self.corrupt(column, "is not 32 bytes"))).transpose()
    }
}

/// Returns a count in the form that is stored; a count above the largest `i64` is stored as the largest `i64`.
pub(super) fn stored_count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Returns a value as JSON text to store.
pub(super) fn stored_json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|_| StoreError::Unavailable("a value to store could not be encoded as JSON".to_owned()))
}
