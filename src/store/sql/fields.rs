//! Reads the columns of a row by their names. Nothing is guessed: what we never write is
//! [`StoreError::Corrupt`], and its text never repeats the value.

use std::str::FromStr;

use serde::de::DeserializeOwned;
use sqlx::{Decode, Row, Type};

use super::driver::{Db, DbRow};
use crate::base::{Moment, Sha256};
use crate::store::StoreError;

/// A row, and the table whose columns are read.
pub(super) struct Fields<'r> {
    row: &'r DbRow,
    table: &'static str,
    /// What the select puts before the names of the table's columns.
    prefix: &'static str,
}

impl<'r> Fields<'r> {
    pub(super) fn of(row: &'r DbRow, table: &'static str) -> Self {
        Self::joined(row, table, "")
    }

    /// Reads one table of a join, where columns of different tables have the same name.
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

    /// Reads a value that must not be null. As an `Option`, since SQLite's driver decodes null as an empty value.
    fn required<T>(&self, column: &'static str) -> Result<T, StoreError>
    where
        T: Decode<'r, Db> + Type<Db>,
    {
        self.get::<Option<T>>(column)?.ok_or_else(|| self.corrupt(column, "is null"))
    }

    /// Returns the error for a wrong value of `column`.
    pub(super) fn corrupt(&self, column: &'static str, problem: impl ToString) -> StoreError {
        StoreError::Corrupt { table: self.table, column, problem: problem.to_string() }
    }

    pub(super) fn text(&self, column: &'static str) -> Result<String, StoreError> {
        self.required(column)
    }

    pub(super) fn optional_text(&self, column: &'static str) -> Result<Option<String>, StoreError> {
        self.get(column)
    }

    /// Text that `read` must know.
    pub(super) fn named<T>(&self, column: &'static str, read: impl FnOnce(&str) -> Option<T>) -> Result<T, StoreError> {
        read(self.required(column)?).ok_or_else(|| self.corrupt(column, "is a word that this program does not know"))
    }

    pub(super) fn parsed<T: FromStr>(&self, column: &'static str) -> Result<T, StoreError> {
        self.named(column, |text| text.parse().ok())
    }

    pub(super) fn optional_parsed<T: FromStr>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        let text: Option<&str> = self.get(column)?;
        text.map(|text| text.parse().map_err(|_| self.corrupt(column, "is not of its form"))).transpose()
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
            self.corrupt(column, format!("is not JSON of its form (line {}, column {})", error.line(), error.column()))
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

/// Returns a count as it is stored; a count above the largest integer is stored as the largest.
pub(super) fn stored_count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Returns a value as the JSON text that is stored.
pub(super) fn stored_json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::Unavailable("a value could not be written as JSON".to_owned()))
}
