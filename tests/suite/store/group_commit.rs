//! The group commit of the store in a file: who waits for whom, for how long, and what happens to those who hang up.

use std::sync::Arc;
use std::time::Duration;

use buildpass::store::sqlite::{SqliteOptions, SqliteStore};
use buildpass::store::{Audit, AuditRow, Builds, Finish, InFlight, Store};
use futures_util::FutureExt;
use futures_util::future::join_all;

use super::sample::{NOW, Sqlite, acme, issuance, issuer, options, recorded, registration, running};

#[tokio::test(flavor = "multi_thread")]
async fn twenty_processes_may_start_at_once_on_a_file_that_is_not_there_yet() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/buildpass.db");
    let opened = (0..20).map(|_| {
        let path = path.clone();
        tokio::spawn(async move { SqliteStore::open(&path, options()).await })
    });
    for store in join_all(opened.collect::<Vec<_>>()).await {
        store.unwrap().unwrap().check().await.unwrap();
    }
}

/// A store that lingers for as long as something is pending, and what it counts by.
async fn lingering(linger: Duration) -> (Sqlite, InFlight) {
    let pending = InFlight::default();
    let sqlite = Sqlite::with(SqliteOptions { pending: pending.clone(), linger, ..options() }).await;
    (sqlite, pending)
}

const LONG: Duration = Duration::from_secs(3_600);

/// Ample for a commit, and nothing beside an hour.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_token_waits_for_others_only_while_some_are_being_signed() {
    let (sqlite, pending) = lingering(LONG).await;
    let (client, new) = running(&sqlite.store).await;
    let main = issuer();
    tokio::time::timeout(SOON, sqlite.store.record(&main, issuance(&client, &new))).await.unwrap().unwrap().unwrap();

    let guard = pending.enter();
    let mut waiting = Box::pin(sqlite.store.record(&main, issuance(&client, &new)));
    assert!(tokio::time::timeout(Duration::from_millis(200), &mut waiting).await.is_err());
    assert_eq!(recorded(&sqlite.store).await.len(), 1);
    drop(guard);
    tokio::time::timeout(SOON, waiting).await.unwrap().unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_waits_for_others_no_longer_than_it_may() {
    let (sqlite, pending) = lingering(Duration::from_millis(50)).await;
    let (client, new) = running(&sqlite.store).await;
    let _guard = pending.enter();
    let main = issuer();
    tokio::time::timeout(SOON, sqlite.store.record(&main, issuance(&client, &new))).await.unwrap().unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_else_is_made_to_wait_with_tokens() {
    let (sqlite, pending) = lingering(LONG).await;
    let (client, new) = running(&sqlite.store).await;
    let _guard = pending.enter();
    let main = issuer();
    let acts = async {
        let record = sqlite.store.record(&main, issuance(&client, &new));
        let finish = sqlite.store.finish_build(&main, new.id, &client.id, Finish::Success, NOW);
        let (recorded, finished) = tokio::join!(record, finish);
        (recorded.unwrap().is_ok(), finished.unwrap())
    };
    assert_eq!(tokio::time::timeout(SOON, acts).await.unwrap(), (true, true));

    let next = registration(acme(18));
    tokio::time::timeout(SOON, sqlite.store.register_build(&main, &client, &next)).await.unwrap().unwrap().unwrap();
    let check = async { tokio::join!(sqlite.store.record(&main, issuance(&client, &next)), sqlite.store.check()) };
    let (recorded, checked) = tokio::time::timeout(SOON, check).await.unwrap();
    assert_eq!((recorded, checked), (Ok(Ok(())), Ok(())));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_of_a_large_group_is_found_as_it_was_written() {
    let (sqlite, pending) = lingering(LONG).await;
    let (client, new) = running(&sqlite.store).await;
    let store = Arc::new(sqlite.store);
    let guard = pending.enter();
    // As many as two statements of each size take.
    let mut rows: Vec<AuditRow> = Vec::new();
    let mut tasks = Vec::new();
    for _ in 0..170 {
        let wish = issuance(&client, &new);
        rows.push(wish.row.clone());
        let store = Arc::clone(&store);
        tasks.push(tokio::spawn(async move { store.record(&issuer(), wish).await }));
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(recorded(store.as_ref()).await, []);
    drop(guard);
    for answer in join_all(tasks).await {
        answer.unwrap().unwrap().unwrap();
    }
    rows.sort_by_key(|row| (row.issued_at, row.jti));
    assert_eq!(recorded(store.as_ref()).await, rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_hangs_up_cancels_nothing() {
    let sqlite = Sqlite::fresh().await;
    let (client, new) = running(&sqlite.store).await;
    let main = issuer();
    let wish = issuance(&client, &new);
    let jti = wish.row.jti;
    // Polled once: the job was handed over, and nobody waits for its answer.
    let gone = sqlite.store.record(&main, wish).now_or_never();
    assert_eq!(gone, None);
    let next = registration(acme(18));
    let gone = sqlite.store.register_build(&main, &client, &next).now_or_never();
    assert_eq!(gone, None);
    sqlite.store.close().await;

    let again = SqliteStore::open(&sqlite.path(), options()).await.unwrap();
    assert!(again.find_audit(&main, jti).await.unwrap().is_some());
    assert!(again.find_build(&main, next.id).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_is_done_before_the_store_closes() {
    let (sqlite, pending) = lingering(LONG).await;
    let (client, new) = running(&sqlite.store).await;
    let _guard = pending.enter();
    let store = Arc::new(sqlite.store);
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (store, wish) = (Arc::clone(&store), issuance(&client, &new));
            tokio::spawn(async move { store.record(&issuer(), wish).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    tokio::time::timeout(SOON, store.close()).await.unwrap();
    for answer in join_all(tasks).await {
        assert_eq!(answer.unwrap(), Ok(Ok(())));
    }
    let path = sqlite.folder.path().join("state/buildpass.db");
    let again = SqliteStore::open(&path, options()).await.unwrap();
    assert_eq!(recorded(&again).await.len(), 20);
}
