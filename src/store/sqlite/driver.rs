//! The types of SQLite's driver, under the names that the files in `sql/` use.

pub(super) type Db = sqlx::Sqlite;
pub(super) type DbArguments = sqlx::sqlite::SqliteArguments;
pub(super) type DbConnection = sqlx::SqliteConnection;
pub(super) type DbRow = sqlx::sqlite::SqliteRow;
