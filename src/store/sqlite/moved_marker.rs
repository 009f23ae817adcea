//! The mark of a file whose installation was copied to another database. Every writer checks it.

use std::path::Path;

use sqlx::SqliteConnection;

use super::connection::Connector;
pub(in crate::store) use super::connection::close;
pub(in crate::store) use super::fault::unavailable;
use super::migrations;
use super::options::SqliteOptions;
use crate::base::Moment;
use crate::store::StoreError;

/// Opens a connection to the file to copy, and migrates its schema.
pub(in crate::store) async fn connect(path: &Path) -> Result<SqliteConnection, StoreError> {
    if !path.exists() {
        return Err(StoreError::Unavailable(format!("no such file: {}", path.display())));
    }
    let connector = Connector::prepare(path, SqliteOptions::default().busy_timeout).await?;
    let mut connection = connector.connect().await?;
    migrations::migrate(&mut connection).await?;
    Ok(connection)
}

/// Marks the file, unless it was marked before. Returns the target that it is marked with.
pub(in crate::store) async fn mark(
    connection: &mut SqliteConnection,
    to: &str,
    now: Moment,
) -> Result<String, StoreError> {
    // One statement, durable before it returns: every later transaction of any process sees the mark.
    sqlx::query("insert into moved (one, moved_at, moved_to) values (1, ?, ?) on conflict (one) do nothing")
        .bind(now.unix())
        .bind(to)
        .execute(&mut *connection)
        .await
        .map_err(unavailable)?;
    let moved_to = moved_to(connection).await?;
    moved_to.ok_or_else(|| StoreError::Unavailable("the mark of the moved file could not be read back".to_owned()))
}

/// Returns the target of the copy, if the file was copied.
pub(super) async fn moved_to(connection: &mut SqliteConnection) -> Result<Option<String>, StoreError> {
    sqlx::query_scalar("select moved_to from moved").fetch_optional(connection).await.map_err(unavailable)
}
