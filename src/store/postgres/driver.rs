//! The types of PostgreSQL's driver, under the names that the files in `sql/` use.

pub(super) type Db = sqlx::Postgres;
pub(super) type DbArguments = sqlx::postgres::PgArguments;
pub(super) type DbConnection = sqlx::PgConnection;
pub(super) type DbRow = sqlx::postgres::PgRow;
