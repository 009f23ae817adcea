//! Explains a refused statement or login: which right PostgreSQL's user lacks, and the SQL statement that grants it.
//! Grants nothing itself.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use sqlx::error::{DatabaseError, ErrorKind};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::sync::Semaphore;

use super::options::PostgresOptions;

/// Schemas of the search path in its order: the name, whether the schema exists, and whether the user may use it and
/// create tables in it.
const SCHEMAS: &str = "\
    select s.name, n.oid is not null, coalesce(has_schema_privilege(n.oid, 'usage'), false), \
           coalesce(has_schema_privilege(n.oid, 'create'), false) \
    from (select at, case when trim(p.name, '\" ') = '$user' then cast(current_user as text) \
                          else trim(p.name, '\" ') end as name \
          from unnest(string_to_array(current_setting('search_path'), ',')) with ordinality as p (name, at)) as s \
    left join pg_namespace as n on n.nspname = s.name order by s.at";

/// Tables that the user can see: the name, the rights that the user lacks, and whether the user owns the table.
const TABLES: &str = "\
    select cast(c.relname as text), array_remove(array[ \
               case when not has_table_privilege(c.oid, 'select') then 'select' end, \
               case when not has_table_privilege(c.oid, 'insert') then 'insert' end, \
               case when not has_table_privilege(c.oid, 'update') then 'update' end, \
               case when not has_table_privilege(c.oid, 'delete') then 'delete' end, \
               case when not has_table_privilege(c.oid, 'references') then 'references' end], null), \
           pg_has_role(current_user, c.relowner, 'usage') \
    from pg_class as c join pg_namespace as n on n.oid = c.relnamespace \
    where c.relkind in ('r', 'p') and n.nspname = any (current_schemas(false)) order by c.relname";

/// Error of PostgreSQL with a text of our own, which says what the refusal means and what to do.
#[derive(Debug)]
pub(super) struct Explained {
    error: Box<dyn DatabaseError>,
    text: String,
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for Explained {}

impl DatabaseError for Explained {
    fn message(&self) -> &str {
        &self.text
    }

    fn code(&self) -> Option<std::borrow::Cow<'_, str>> {
        self.error.code()
    }

    fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn StdError + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn StdError + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        self.error.kind()
    }
}

/// Returns the explanation of an error, if it has one.
pub(super) fn explanation(error: &sqlx::Error) -> Option<&str> {
    let explained = error.as_database_error()?.try_downcast_ref::<Explained>()?;
    Some(&explained.text)
}

/// Explains why PostgreSQL refused a login or statement of one user in one database.
#[derive(Clone)]
pub(super) struct Rights {
    options: Arc<PostgresOptions>,
    connect: PgConnectOptions,
    /// Semaphore that is held while we query PostgreSQL for the user's rights, so that many refusals open one
    /// connection at a time.
    asking: Arc<Semaphore>,
}

impl Rights {
    pub(super) fn new(options: Arc<PostgresOptions>, connect: PgConnectOptions) -> Self {
        Self { options, connect, asking: Arc::new(Semaphore::new(1)) }
    }

    /// Explains why a login was refused.
    pub(super) fn explain_login(&self, error: sqlx::Error) -> sqlx::Error {
        let (user, database) = (identifier(&self.options.user), identifier(&self.options.database));
        let explain = |code: &str, message: &str| {
            Some(match code {
                "28P01" => format!(
                    "PostgreSQL refused the user or the password: {message}; set store.password or store.password_file to \
                     the password of the role {user}, or run: alter role {user} with login password '…'"
                ),
                code if code.starts_with("28") => format!(
                    "PostgreSQL refused the user or the password: {message}; the role {user} needs the right to log in \
                     (create role {user} login, or alter role {user} login) and a line in pg_hba.conf for the database {database}"
                ),
                "3D000" => format!(
                    "there is no such database on the PostgreSQL server: {message}; run: create database {database} owner \
                     {user}"
                ),
                "42501" => format!(
                    "the user {user} may not connect to the database {database}: {message}; missing: connect on database \
                     {database}; run: grant connect on database {database} to {user}"
                ),
                _ => return None,
            })
        };
        explained(error, explain)
    }

    /// Explains why a statement was refused, if the user lacks a right.
    pub(super) async fn explain(&self, error: sqlx::Error, sql: &str) -> sqlx::Error {
        let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
        if !matches!(code.as_str(), "42501" | "3F000" | "42P01") {
            return error;
        }
        let Ok(_alone) = self.asking.try_acquire() else { return error };
        let asked =
            tokio::time::timeout(self.options.waits.statement, missing(&self.connect, &code, sql, &self.options.user));
        let missing = asked.await.ok().and_then(Result::ok).unwrap_or_default();
        if missing.is_empty() && code == "42P01" {
            return error;
        }
        let (user, database) = (identifier(&self.options.user), identifier(&self.options.database));
        explained(error, |_, message| {
            let refused = format!("the user {user} may not do this in the database {database}: {message}");
            if missing.is_empty() {
                return Some(refused);
            }
            let (rights, statements): (Vec<_>, Vec<_>) = missing.into_iter().unzip();
            Some(format!(
                "{refused}; missing: {}; the owner or a superuser gives it by: {}",
                rights.join(", "),
                statements.join("; ")
            ))
        })
    }
}

/// Formats the options without the password. The driver's options are left out, since they would show the password.
impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rights").field("options", &self.options).finish_non_exhaustive()
    }
}

fn explained(error: sqlx::Error, explain: impl FnOnce(&str, &str) -> Option<String>) -> sqlx::Error {
    let sqlx::Error::Database(error) = error else { return error };
    let code = error.code().unwrap_or_default().into_owned();
    match explain(&code, error.message()) {
        Some(text) => sqlx::Error::Database(Box::new(Explained { error, text })),
        None => sqlx::Error::Database(error),
    }
}

/// Queries PostgreSQL for the rights that the user lacks for the statements `sql`. Returns each right with the
/// statement that grants it.
async fn missing(
    connect: &PgConnectOptions,
    code: &str,
    sql: &str,
    user: &str,
) -> Result<Vec<(String, String)>, sqlx::Error> {
    let mut connection = connect.connect().await?;
    let schemas: Vec<Schema> = sqlx::query_as(SCHEMAS).fetch_all(&mut connection).await?;
    let tables: Vec<Table> = sqlx::query_as(TABLES).fetch_all(&mut connection).await?;
    let _closed: Result<(), _> = PgConnection::close(connection).await;
    Ok(lacking(&schemas, &tables, code, sql, user))
}

type Schema = (String, bool, bool, bool);
type Table = (String, Vec<String>, bool);

fn lacking(schemas: &[Schema], tables: &[Table], code: &str, sql: &str, user: &str) -> Vec<(String, String)> {
    let user = identifier(user);
    let sql = sql.to_lowercase();
    let words: Vec<&str> = sql.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let has = |word: &str| words.contains(&word);
    let defines = has("create") || has("alter") || has("drop");
    let mut lacking = Vec::new();
    match schemas.iter().find(|(_, exists, ..)| *exists) {
        None => {
            let path = schemas.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>().join(", ");
            let schema = identifier(schemas.last().map_or("public", |(name, ..)| name));
            let right = format!("a schema (none of search_path exists: {path})");
            lacking.push((right, format!("create schema {schema} authorization {user}")));
        }
        Some((name, _, may_use, may_create)) => {
            let schema = identifier(name);
            for (right, is_missing) in [("usage", !may_use), ("create", defines && !may_create)] {
                if is_missing {
                    let right = format!("{right} on schema {schema}");
                    let grant = format!("grant {right} to {user}");
                    lacking.push((right, grant));
                }
            }
        }
    }
    if code != "42501" {
        return lacking;
    }
    let locks = sql.contains("for share") || sql.contains("for no key update");
    let needs = |right: &str| match right {
        "select" => !defines && (has("select") || has("where") || has("returning")),
        "update" => !defines && (has("update") || locks),
        "references" => defines && has("references"),
        right => !defines && has(right),
    };
    for (table, rights, is_owner) in tables.iter().filter(|(table, ..)| has(table)) {
        let table = identifier(table);
        let rights: Vec<&str> = rights.iter().map(String::as_str).filter(|right| needs(right)).collect();
        if defines && !is_owner {
            lacking.push((format!("ownership of table {table}"), format!("alter table {table} owner to {user}")));
        } else if !rights.is_empty() {
            let all = rights.join(", ");
            lacking.push((format!("{all} on table {table}"), format!("grant {all} on table {table} to {user}")));
        }
    }
    lacking
}

/// Returns a name as an SQL identifier, in quotes if needed.
fn identifier(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_') && name.chars().all(is_plain) {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_missing_rights_are_those_that_the_statement_needs() {
        let public = [("me".to_owned(), false, false, false), ("public".to_owned(), true, true, false)];
        let all = ["select", "insert", "update", "delete", "references"].map(str::to_owned).to_vec();
        let tables = [("audit".to_owned(), all.clone(), false), ("builds".to_owned(), all, false)];
        let of = |code: &str, sql: &str| lacking(&public, &tables, code, sql, "me");
        let right = |text: &str| (text.to_owned(), format!("grant {text} to me"));
        assert_eq!(of("42501", "insert into audit (jti) values ($1)"), [right("insert on table audit")]);
        assert_eq!(of("42501", "select 1 from builds for share"), [right("select, update on table builds")]);
        assert_eq!(of("42501", "delete from builds where id = $1"), [right("select, delete on table builds")]);
        assert_eq!(of("42501", "create table x (id text)"), [right("create on schema public")]);
        assert_eq!(of("42501", "alter table audit add column x text")[1].1, "alter table audit owner to me");
        assert!(of("42P01", "select 1 from audit").is_empty());
        let closed = [("public".to_owned(), true, false, false)];
        assert_eq!(
            lacking(&closed, &[], "42P01", "select 1 from audit", "Me")[0].1,
            "grant usage on schema public to \"Me\""
        );
        let none = [("gone".to_owned(), false, false, false)];
        assert_eq!(lacking(&none, &[], "3F000", "create table x", "me")[0].1, "create schema gone authorization me");
    }
}
