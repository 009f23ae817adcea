//! The backends to run a case on: a database of the case's own, or two stores that share one.

use std::sync::Arc;

use buildpass::store::postgres::PostgresStore;
use buildpass::store::sqlite::SqliteStore;
use buildpass::store::{InFlight, Store};
use tempfile::TempDir;

use super::races::Pair;
use super::sample::{Sqlite, options};
use crate::harness::postgres::PostgresServer;

pub(crate) async fn sqlite() -> (Arc<dyn Store>, TempDir) {
    let Sqlite { store, folder } = Sqlite::fresh().await;
    (Arc::new(store), folder)
}

pub(crate) async fn sqlite_pair() -> Pair {
    let (one, folder) = sqlite().await;
    let other = SqliteStore::open(&folder.path().join("state/buildpass.db"), options()).await.unwrap();
    Pair { stores: [one, Arc::new(other)], _place: Box::new(folder) }
}

pub(crate) async fn postgres() -> Arc<dyn Store> {
    let database = PostgresServer::shared().database().await;
    Arc::new(PostgresStore::open(database, InFlight::default()).await.unwrap())
}

pub(crate) async fn postgres_pair() -> Pair {
    let database = PostgresServer::shared().database().await;
    let open = async || Arc::new(PostgresStore::open(database.clone(), InFlight::default()).await.unwrap());
    Pair { stores: [open().await, open().await], _place: Box::new(()) }
}
