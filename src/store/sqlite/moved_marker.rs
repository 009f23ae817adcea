//! Marks a SQLite file as moved once its installation is copied to another database. Every writing transaction checks
//! the mark, so that no write is lost in the old file.

use std::path::Path;

use sqlx::SqliteConnection;

use super::connection::Connector;
pub(in crate::store) use super::connection::close;
pub(in crate::store) use super::fault::unavailable;
use super::migrations;
use crate::base::Moment;
use crate::store::{StoreError, StoreWaits};

/// Opens a connection to the file that is to be copied, and migrates the file's schema.
pub(in crate::store) async fn connect(path: &Path) -> Result<SqliteConnection, StoreError> {
    if !path.exists() {
        return Err(StoreError::Unavailable(format!("no such file: {}", path.display())));
    }
    let connector = Connector::prepare(path, StoreWaits::default()).await?;
    let mut connection = connector.connect().await?;
    migrations::migrate(&mut connection, &connector).await?;
    Ok(connection)
}

/// Opens a connection to the file if the file is marked as moved to the database `to`. Migrates nothing.
pub(in crate::store) async fn connect_if_moved_to(
    path: &Path,
    to: &str,
) -> Result<Option<SqliteConnection>, StoreError> {
    if !path.exists() {
        return Ok(None);
    }
    let connector = Connector::prepare(path, StoreWaits::default()).await?;
    let mut connection = connector.connect().await?;
    if moved_to(&mut connection).await.is_ok_and(|moved_to| moved_to.as_deref() == Some(to)) {
        return Ok(Some(connection));
    }
    close(connection).await;
    Ok(None)
}

/// Marks the file as moved to the database `to`, unless the file was marked before. Returns the database in the mark,
/// which may be another one if the file was marked before.
pub(in crate::store) async fn mark(
    connection: &mut SqliteConnection,
    to: &str,
    now: Moment,
) -> Result<String, StoreError> {
    // This one statement is on disk before it returns: every later transaction of any process sees the mark.
    sqlx::query("insert into moved (one, moved_at, moved_to) values (1, ?, ?) on conflict (one) do nothing")
        .bind(now.unix())
        .bind(to)
        .execute(&mut *connection)
        .await
        .map_err(unavailable)?;
    let moved_to = moved_to(connection).await?;
    moved_to.ok_or_else(|| StoreError::Unavailable("the SQLite file could not be marked as moved".to_owned()))
}

/// Returns the database to which the installation was moved; `None` if the file is not marked as moved.
pub(super) async fn moved_to(connection: &mut SqliteConnection) -> Result<Option<String>, StoreError> {
    sqlx::query_scalar("select moved_to from moved").fetch_optional(connection).await.map_err(unavailable)
}
