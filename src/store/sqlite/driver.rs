//! Names the types of SQLite's driver as the files in `sql/` use them.

pub(super) type Db = sqlx::Sqlite;
pub(super) type DbArguments = sqlx::sqlite::SqliteArguments;
pub(super) type DbConnection = sqlx::SqliteConnection;
pub(super) type DbRow = sqlx::sqlite::SqliteRow;
