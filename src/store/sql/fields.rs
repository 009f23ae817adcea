//! Reads a row column by column, in the order of its select. Nothing is guessed: what we never write is
//! [`StoreError::Corrupt`], and its text never repeats the value.

use std::str::FromStr;

use serde::de::DeserializeOwned;
use sqlx::{Decode, Row, Type};

use super::{Db, DbRow};
use crate::base::{Moment, Sha256};
use crate::store::StoreError;

/// A row, and how far it was read.
pub(super) struct Fields<'r> {
    row: &'r DbRow,
    table: &'static str,
    next: usize,
}

impl<'r> Fields<'r> {
    /// Starts with the first column, which is of `table`.
    pub(super) fn of(row: &'r DbRow, table: &'static str) -> Self {
        Self { row, table, next: 0 }
    }

    /// The columns from here on are of `table`.
    pub(super) fn continue_with(&mut self, table: &'static str) {
        self.table = table;
    }

    /// Leaves `columns` unread.
    pub(super) fn pass(&mut self, columns: usize) {
        self.next += columns;
    }

    fn take<T>(&mut self, column: &'static str) -> Result<T, StoreError>
    where
        T: Decode<'r, Db> + Type<Db>,
    {
        let at = self.next;
        self.next += 1;
        // The driver's text names types, never values.
        self.row.try_get(at).map_err(|error| match error {
            sqlx::Error::ColumnDecode { .. } => self.corrupt(column, "is not of the column's type"),
            other => self.corrupt(column, other),
        })
    }

    /// What must be there. Asked of the row, since SQLite's driver reads an empty value out of a null.
    fn some<T>(&mut self, column: &'static str) -> Result<T, StoreError>
    where
        T: Decode<'r, Db> + Type<Db>,
    {
        self.take::<Option<T>>(column)?.ok_or_else(|| self.corrupt(column, "is null"))
    }

    /// The error for a value of `column` that makes no sense.
    pub(super) fn corrupt(&self, column: &'static str, problem: impl ToString) -> StoreError {
        StoreError::Corrupt { table: self.table, column, problem: problem.to_string() }
    }

    /// Text.
    pub(super) fn text(&mut self, column: &'static str) -> Result<String, StoreError> {
        self.some(column)
    }

    /// Text or null.
    pub(super) fn optional_text(&mut self, column: &'static str) -> Result<Option<String>, StoreError> {
        self.take(column)
    }

    /// Text that `read` must know.
    pub(super) fn named<T>(
        &mut self,
        column: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        read(self.some(column)?).ok_or_else(|| self.corrupt(column, "is a word that this program does not know"))
    }

    /// Text of a type of ours.
    pub(super) fn parsed<T: FromStr>(&mut self, column: &'static str) -> Result<T, StoreError> {
        self.named(column, |text| text.parse().ok())
    }

    /// Text of a type of ours, or null.
    pub(super) fn optional_parsed<T: FromStr>(&mut self, column: &'static str) -> Result<Option<T>, StoreError> {
        let text: Option<&str> = self.take(column)?;
        text.map(|text| text.parse().map_err(|_| self.corrupt(column, "is not of its form"))).transpose()
    }

    /// JSON.
    pub(super) fn json<T: DeserializeOwned>(&mut self, column: &'static str) -> Result<T, StoreError> {
        let text: &str = self.some(column)?;
        self.read_json(column, text)
    }

    /// JSON or null.
    pub(super) fn optional_json<T: DeserializeOwned>(&mut self, column: &'static str) -> Result<Option<T>, StoreError> {
        let text: Option<&str> = self.take(column)?;
        text.map(|text| self.read_json(column, text)).transpose()
    }

    fn read_json<T: DeserializeOwned>(&self, column: &'static str, text: &str) -> Result<T, StoreError> {
        // The parser's own text may repeat a value, so only the place is told.
        serde_json::from_str(text).map_err(|error| {
            self.corrupt(column, format!("is not JSON of its form (line {}, column {})", error.line(), error.column()))
        })
    }

    /// A moment.
    pub(super) fn moment(&mut self, column: &'static str) -> Result<Moment, StoreError> {
        self.some(column).map(Moment::from_unix)
    }

    /// A moment or null.
    pub(super) fn optional_moment(&mut self, column: &'static str) -> Result<Option<Moment>, StoreError> {
        let seconds: Option<i64> = self.take(column)?;
        Ok(seconds.map(Moment::from_unix))
    }

    /// A number that is not negative.
    pub(super) fn count(&mut self, column: &'static str) -> Result<u64, StoreError> {
        let number: i64 = self.some(column)?;
        u64::try_from(number).map_err(|_| self.corrupt(column, "is negative"))
    }

    /// A number that is not negative, or null.
    pub(super) fn optional_count(&mut self, column: &'static str) -> Result<Option<u64>, StoreError> {
        let number: Option<i64> = self.take(column)?;
        number.map(|number| u64::try_from(number).map_err(|_| self.corrupt(column, "is negative"))).transpose()
    }

    /// Bytes.
    pub(super) fn bytes(&mut self, column: &'static str) -> Result<Vec<u8>, StoreError> {
        self.some(column)
    }

    /// Bytes or null.
    pub(super) fn optional_bytes(&mut self, column: &'static str) -> Result<Option<Vec<u8>>, StoreError> {
        self.take(column)
    }

    /// A digest.
    pub(super) fn digest(&mut self, column: &'static str) -> Result<Sha256, StoreError> {
        let bytes: &[u8] = self.some(column)?;
        Sha256::from_stored(bytes).ok_or_else(|| self.corrupt(column, "is not 32 bytes"))
    }

    /// A digest or null.
    pub(super) fn optional_digest(&mut self, column: &'static str) -> Result<Option<Sha256>, StoreError> {
        let bytes: Option<&[u8]> = self.take(column)?;
        bytes.map(|bytes| Sha256::from_stored(bytes).ok_or_else(|| self.corrupt(column, "is not 32 bytes"))).transpose()
    }
}

/// A count as the database holds it. What is larger than any count can become stands as the largest.
pub(super) fn stored_count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A list or object as the database holds it.
pub(super) fn stored_json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::Unavailable("a value could not be written as JSON".to_owned()))
}
