//! Begins and commits the one transaction that writes a copied installation to PostgreSQL.

use sqlx::PgConnection;

use super::connection::Connector;
pub(in crate::store) use super::fault::unavailable;
use super::migrations;
use super::options::PostgresOptions;
use super::session::close;
use crate::store::StoreError;

/// Migrates the database and begins a serializable transaction, without time limits.
pub(in crate::store) async fn begin(options: &PostgresOptions) -> Result<PgConnection, StoreError> {
    let connector = Connector::new(options.clone());
    connector.check_settings().await?;
    migrations::migrate(&connector).await?;
    let mut connection = connector.connect_for_long_work().await?;
    sqlx::query("begin isolation level serializable").execute(&mut connection).await.map_err(unavailable)?;
    Ok(connection)
}

/// Commits the copy. From then on this database, not the copied file, holds the installation.
pub(in crate::store) async fn commit(mut connection: PgConnection) -> Result<(), StoreError> {
    sqlx::query("commit").execute(&mut connection).await.map_err(unavailable)?;
    close(connection).await;
    Ok(())
}
