//! Names the types of PostgreSQL's driver as the files in `sql/` use them.

pub(super) type Db = sqlx::Postgres;
pub(super) type DbArguments = sqlx::postgres::PgArguments;
pub(super) type DbConnection = super::session::Session;
pub(super) type DbRow = sqlx::postgres::PgRow;
