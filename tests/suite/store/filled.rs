//! Databases in which every table has rows, at the version before names and columns took the field's words; and all of
//! their rows, to compare.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use buildpass::store::postgres::PostgresOptions;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row, SqlSafeStr, SqliteConnection};

use crate::harness::postgres::PostgresServer;

/// Statements that write rows into every table.
pub(crate) const FILLED: &str = include_str!("filled_0005.sql");

macro_rules! migrations {
    ($backend:literal) => {
        [
            ("issuing", include_str!(concat!("../../../migrations/", $backend, "/0001_issuing.sql"))),
            ("key_life", include_str!(concat!("../../../migrations/", $backend, "/0002_key_life.sql"))),
            ("shared", include_str!(concat!("../../../migrations/", $backend, "/0003_shared.sql"))),
            ("identities", include_str!(concat!("../../../migrations/", $backend, "/0004_identities.sql"))),
            ("exchange", include_str!(concat!("../../../migrations/", $backend, "/0005_exchange.sql"))),
        ]
    };
}

fn migrator(migrations: [(&'static str, &'static str); 5]) -> Migrator {
    let migrations = (1..).zip(migrations).map(|(version, (name, sql))| {
        Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, sql.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.collect())
}

/// The rows of [`FILLED`] with blobs as this database writes them.
fn statements(blob: impl Fn(&str) -> String) -> AssertSqlSafe<String> {
    let bytes = (1..=0x1b).map(|byte| format!("{byte:02x}"));
    AssertSqlSafe(bytes.fold(FILLED.to_owned(), |sql, byte| sql.replace(&format!("@{byte}@"), &blob(&byte.repeat(32)))))
}

/// Creates a file at version 5 with rows in every table.
pub(crate) async fn fill_sqlite(path: &Path) {
    let mut connection = sqlite(path).await;
    migrator(migrations!("sqlite")).run(&mut connection).await.unwrap();
    sqlx::raw_sql(statements(|hex| format!("x'{hex}'"))).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Brings an empty PostgreSQL database to version 5 with rows in every table.
pub(crate) async fn fill_postgres(options: &PostgresOptions) {
    let mut connection = PostgresServer::connect(options).await;
    migrator(migrations!("postgres")).run(&mut connection).await.unwrap();
    sqlx::raw_sql(statements(|hex| format!("'\\x{hex}'"))).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn sqlite(path: &Path) -> SqliteConnection {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
    options.connect().await.unwrap()
}

/// All rows of each table as texts by column, sorted; without the record of migrations.
pub(crate) type Rows = BTreeMap<String, Vec<BTreeMap<String, Option<String>>>>;

macro_rules! read_rows {
    ($connection:expr, $columns:literal, $hex:literal) => {{
        let connection = $connection;
        let listed: Vec<(String, String, String)> = sqlx::query_as($columns).fetch_all(&mut *connection).await.unwrap();
        let mut tables: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
        for (table, column, kind) in listed.into_iter().filter(|(table, ..)| table != "_sqlx_migrations") {
            tables.entry(table).or_default().push((column, kind));
        }
        let mut all = Rows::new();
        for (table, columns) in tables {
            let texts = columns.iter().map(|(column, kind)| match kind.as_str() {
                "blob" | "bytea" => format!($hex, column = column),
                _ => format!("cast({column} as text)"),
            });
            let texts: Vec<_> = texts.collect();
            let statement = AssertSqlSafe(format!("select {} from {table}", texts.join(", ")));
            let rows = sqlx::query(statement).fetch_all(&mut *connection).await.unwrap();
            let read = rows
                .iter()
                .map(|row| columns.iter().enumerate().map(|(at, (column, _))| (column.clone(), row.get(at))).collect());
            let mut read: Vec<BTreeMap<_, _>> = read.collect();
            read.sort();
            all.insert(table, read);
        }
        all
    }};
}

pub(crate) async fn sqlite_rows(path: &Path) -> Rows {
    let mut connection = sqlite(path).await;
    let connection: &mut SqliteConnection = &mut connection;
    read_rows!(
        connection,
        "select t.name, c.name, lower(c.type) from sqlite_schema as t join pragma_table_info(t.name) as c \
         where t.type = 'table'",
        "case when {column} is not null then lower(hex({column})) end"
    )
}

pub(crate) async fn postgres_rows(options: &PostgresOptions) -> Rows {
    let mut connection = PostgresServer::connect(options).await;
    let connection: &mut PgConnection = &mut connection;
    read_rows!(
        connection,
        "select cast(table_name as text), cast(column_name as text), cast(data_type as text) \
         from information_schema.columns where table_schema = 'public'",
        "encode({column}, 'hex')"
    )
}

/// Names of all tables, indexes and constraints, and the statements that created them.
pub(crate) async fn sqlite_names(path: &Path) -> Vec<String> {
    let texts = "select name from sqlite_schema union all select sql from sqlite_schema where sql is not null";
    sqlx::query_scalar(texts).fetch_all(&mut sqlite(path).await).await.unwrap()
}

/// Names of all tables, columns, indexes and constraints.
pub(crate) async fn postgres_names(options: &PostgresOptions) -> Vec<String> {
    let names = "select cast(relname as text) from pg_class where relnamespace = 'public'::regnamespace \
                 union all select cast(conname as text) from pg_constraint where connamespace = 'public'::regnamespace \
                 union all select cast(column_name as text) from information_schema.columns where table_schema = 'public'";
    sqlx::query_scalar(names).fetch_all(&mut PostgresServer::connect(options).await).await.unwrap()
}
