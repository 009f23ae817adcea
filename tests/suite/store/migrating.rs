//! Migrations that take long, and servers that wait for them: none is cut off, and each says for whom it waits.

use std::time::Duration;

use buildpass::base::{Clock, SystemClock};
use buildpass::store::postgres::{PostgresOptions, PostgresStore};
use buildpass::store::sqlite::{SqliteOptions, SqliteStore};
use buildpass::store::{InFlight, Store, StoreError, StoreWaits};
use sqlx::{Connection, Executor, PgConnection};

use crate::harness::postgres::PostgresServer;
use crate::harness::{capture, logged};

/// Makes every new table wait for the advisory lock 7.
const SLOW_TABLES: &str = "\
    create function slow() returns event_trigger language plpgsql as \
        $$ begin perform pg_advisory_xact_lock_shared(7); end $$; \
    create event trigger slow on ddl_command_start when tag in ('CREATE TABLE') execute function slow()";

/// A database on which every statement of a server is cut off after a second, and whose migrations are slow.
async fn slow_database() -> (PostgresOptions, PgConnection) {
    let database = PostgresServer::shared().database().await;
    PostgresServer::tell_database(&database, SLOW_TABLES).await;
    let mut brake = PostgresServer::connect(&database).await;
    brake.execute("select pg_advisory_lock(7)").await.unwrap();
    let waits = StoreWaits { statement: Duration::from_secs(1), ..StoreWaits::default() };
    (PostgresOptions { waits, ..database }, brake)
}

async fn process(connection: &mut PgConnection) -> i32 {
    sqlx::query_scalar("select pg_backend_pid()").fetch_one(connection).await.unwrap()
}

async fn until_logged(text: &str) {
    let clock = SystemClock::new();
    while !logged().contains(text) {
        assert!(clock.monotonic() < Duration::from_secs(30), "never logged: {text}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn open(options: &PostgresOptions) -> tokio::task::JoinHandle<Result<PostgresStore, StoreError>> {
    tokio::spawn(PostgresStore::open(options.clone(), InFlight::default()))
}

/// Waits until a session of the database migrates. Returns the session's process id.
async fn migrating(brake: &mut PgConnection) -> i32 {
    let clock = SystemClock::new();
    loop {
        let waiting = "select pid from pg_locks where locktype = 'advisory' and not granted \
                       and database = (select oid from pg_database where datname = current_database())";
        if let Some(process) = sqlx::query_scalar(waiting).fetch_optional(&mut *brake).await.unwrap() {
            return process;
        }
        assert!(clock.monotonic() < Duration::from_secs(30), "nobody migrates");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn a_migration_takes_its_time_and_another_server_says_for_whom_it_waits() {
    capture();
    let (database, mut brake) = slow_database().await;
    let first = open(&database);
    let migrating = migrating(&mut brake).await;
    let second = open(&database);
    until_logged(&format!(
        "another server migrates the database: waits for pid {migrating} (application buildpass, \
                           user buildpass, from 127.0.0.1, connected since 20"
    ))
    .await;
    let brake_process = process(&mut brake).await;
    until_logged(&format!("migration 1 (issuing) runs: waits for pid {brake_process} (application unknown, user"))
        .await;
    assert!(!first.is_finished() && !second.is_finished(), "ten times the limit of a statement cut nothing off");
    brake.close().await.unwrap();
    for store in [first, second] {
        let store = store.await.unwrap().unwrap();
        store.check().await.unwrap();
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn a_migration_whose_server_is_gone_is_rolled_back_and_the_next_one_goes_on() {
    let (database, mut brake) = slow_database().await;
    let first = open(&database);
    let lost = migrating(&mut brake).await;
    first.abort();
    let second = open(&database);
    let clock = SystemClock::new();
    // The server notices within two seconds that nobody waits for the statement any more.
    while migrating(&mut brake).await == lost {
        assert!(clock.monotonic() < Duration::from_secs(30), "the lost session goes on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    brake.close().await.unwrap();
    second.await.unwrap().unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn limits_of_the_role_do_not_bind_a_migration_and_a_current_schema_needs_no_lock() {
    let (database, mut brake) = slow_database().await;
    let role = format!(
        "alter role buildpass in database {0} set statement_timeout = '1s'; \
         alter role buildpass in database {0} set idle_in_transaction_session_timeout = '1s'; \
         alter role buildpass in database {0} set idle_session_timeout = '1s'",
        database.database
    );
    PostgresServer::tell_database(&database, &role).await;
    let first = open(&database);
    migrating(&mut brake).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!first.is_finished());
    brake.execute("select pg_advisory_unlock(7)").await.unwrap();
    first.await.unwrap().unwrap().close().await;
    brake.execute("select pg_advisory_lock(7094692702254555507)").await.unwrap();
    open(&database).await.unwrap().unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_lock_another_process_holds_is_waited_for_until_it_is_migrated() {
    capture();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("waited-for.db");
    let file = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut other =
        sqlx::ConnectOptions::connect(&file.journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)).await.unwrap();
    other.execute("begin immediate").await.unwrap();
    let waits = StoreWaits { acquire: Duration::from_millis(200), ..StoreWaits::default() };
    let options = SqliteOptions { waits, ..SqliteOptions::default() };
    let opened = tokio::spawn(async move { SqliteStore::open(&path, options).await });
    let this = std::process::id();
    until_logged(&format!("another process writes to the file: waits for process {this} (")).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!opened.is_finished(), "five times the wait for a lock cut nothing off");
    other.execute("rollback").await.unwrap();
    let store = opened.await.unwrap().unwrap();
    assert_eq!(store.settings().await.unwrap().busy_timeout, waits.acquire, "as before the migration");
    store.close().await;
}
