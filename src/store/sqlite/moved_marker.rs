//! The mark of a file that was left: whoever would write it sees where everything went.

use std::path::Path;

use sqlx::SqliteConnection;

use super::connection::Connector;
pub(in crate::store) use super::connection::close;
pub(in crate::store) use super::fault::unavailable;
use super::migrations;
use super::options::SqliteOptions;
use crate::base::Moment;
use crate::store::StoreError;

/// A connection to the file that is to be left, its schema brought up to date.
pub(in crate::store) async fn connect(path: &Path) -> Result<SqliteConnection, StoreError> {
    if !path.exists() {
        return Err(StoreError::Unavailable(format!("there is no file {}", path.display())));
    }
    let connector = Connector::prepare(path, SqliteOptions::default().busy_timeout).await?;
    let mut connection = connector.connect().await?;
    migrations::migrate(&mut connection).await?;
    Ok(connection)
}

/// Marks the file, unless it was marked before; gives back where it is marked as moved to.
pub(in crate::store) async fn mark(
    connection: &mut SqliteConnection,
    to: &str,
    now: Moment,
) -> Result<String, StoreError> {
    // One statement, durable before it returns: from here on every transaction of whichever process sees it.
    sqlx::query("insert into moved (one, moved_at, moved_to) values (1, ?, ?) on conflict (one) do nothing")
        .bind(now.unix())
        .bind(to)
        .execute(&mut *connection)
        .await
        .map_err(unavailable)?;
    let moved_to = moved_to(connection).await?;
    moved_to.ok_or_else(|| StoreError::Unavailable("the mark did not stay".to_owned()))
}

/// Where everything went, if it did.
pub(super) async fn moved_to(connection: &mut SqliteConnection) -> Result<Option<String>, StoreError> {
    sqlx::query_scalar("select moved_to from moved").fetch_optional(connection).await.map_err(unavailable)
}
