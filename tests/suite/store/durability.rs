//! The file: what is on disk, what happens when the disk or another process says no, and what is found in it.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use buildpass::store::MigrationReport;
use buildpass::store::sqlite::{Settings, SqliteOptions, SqliteStore};
use buildpass::store::{Audit, Builds, Finish, InFlight, Issuance, Store, StoreError, StoreWaits};
use futures_util::future::join_all;
use sqlx::{Connection, Row};

use super::publications::version;
use super::redeemable::{World, event};
use super::sample::{NOW, Sqlite, acme, issuance, issuer, options, recorded, registration, running};

async fn is_set_to_last(store: &SqliteStore) {
    let expected = Settings {
        journal_mode: "wal".to_owned(),
        synchronous: 2,
        foreign_keys: true,
        trusted_schema: false,
        busy_timeout: options().waits.acquire,
    };
    assert_eq!(store.settings().await.unwrap(), expected);
}

fn is_unavailable<T: std::fmt::Debug>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Unavailable(_)))
}

/// Lets ten tokens wait for one commit, and returns the answer to each.
async fn ten_together(
    store: &SqliteStore,
    pending: &InFlight,
    wish: impl Fn() -> Issuance,
) -> Vec<Result<Result<(), buildpass::store::IssuanceRefusal>, StoreError>> {
    let main = issuer();
    let guard = pending.enter();
    let (answers, ()) = tokio::join!(join_all((0..10).map(|_| store.record(&main, wish()))), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(guard);
    });
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_commit_is_reported_to_every_waiting_caller_and_heals() {
    let pending = InFlight::default();
    let linger = Duration::from_secs(3_600);
    let sqlite = Sqlite::with(SqliteOptions { pending: pending.clone(), linger, ..options() }).await;
    let store = &sqlite.store;
    is_set_to_last(store).await;
    let (client, new) = running(store).await;
    // A reference to nothing that is checked at the commit: every statement succeeds, the commit alone does not.
    sqlite
        .meddle(
            "create table missing (id integer primary key); \
             create table broken (id integer references missing (id) deferrable initially deferred); \
             create trigger break after insert on audit begin insert into broken values (1); end",
        )
        .await;
    let answers = ten_together(store, &pending, || issuance(&client, &new)).await;
    assert!(answers.iter().all(is_unavailable), "{answers:?}");
    assert_eq!(recorded(store).await, []);
    assert_eq!(store.find_build(&issuer(), new.id).await.unwrap().unwrap().tokens_issued, 0);
    is_set_to_last(store).await;

    sqlite.meddle("drop trigger break").await;
    let answers = ten_together(store, &pending, || issuance(&client, &new)).await;
    assert!(answers.iter().all(|answer| *answer == Ok(Ok(()))), "{answers:?}");
    assert_eq!(recorded(store).await.len(), 10);
    is_set_to_last(store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_file_lets_no_token_leave_and_heals() {
    let sqlite = Sqlite::fresh().await;
    let store = &sqlite.store;
    let (client, new) = running(store).await;
    store.limit_pages(Some(1)).await.unwrap();
    let (mut left, mut failed) = (0, 0);
    while failed < 20 {
        match store.record(&issuer(), issuance(&client, &new)).await {
            Ok(answer) => {
                answer.unwrap();
                left += 1;
            }
            Err(error) => {
                assert!(error.to_string().contains("full"), "{error}");
                failed += 1;
            }
        }
    }
    assert_eq!(recorded(store).await.len(), left);
    let build = store.find_build(&issuer(), new.id).await.unwrap().unwrap();
    assert_eq!(usize::try_from(build.tokens_issued).unwrap(), left);
    let large = registration(acme(u64::MAX));
    assert!(is_unavailable(&store.register_build(&issuer(), &client, &fat(large)).await));

    store.limit_pages(None).await.unwrap();
    is_set_to_last(store).await;
    store.record(&issuer(), issuance(&client, &new)).await.unwrap().unwrap();
    assert_eq!(recorded(store).await.len(), left + 1);
}

/// A registration that needs pages of its own.
fn fat(mut new: buildpass::store::NewBuild) -> buildpass::store::NewBuild {
    new.build.properties = (0..60).map(|n| (format!("k{n}"), "v".repeat(1_000))).collect();
    new
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_another_process_keeps_is_waited_for_once_a_round() {
    let waits = StoreWaits { acquire: Duration::from_millis(500), ..StoreWaits::default() };
    let sqlite = Sqlite::with(SqliteOptions { waits, ..options() }).await;
    let store = &sqlite.store;
    let (client, new) = running(store).await;
    let mut stranger = sqlite.stranger().await;
    sqlx::raw_sql("begin immediate").execute(&mut stranger).await.unwrap();

    let main = issuer();
    // Forty acts that each waited for the lock alone would take twenty seconds.
    let acts = join_all((0..40).map(|_| store.finish_build(&main, new.id, &client.id, Finish::Success, NOW)));
    let answers = tokio::time::timeout(Duration::from_secs(10), acts).await.unwrap();
    assert!(answers.iter().all(is_unavailable));
    assert!(is_unavailable(&store.check().await));
    assert!(is_unavailable(&store.record(&main, issuance(&client, &new)).await));
    // Reading goes on.
    assert!(store.find_build(&main, new.id).await.unwrap().unwrap().finished.is_none());

    sqlx::raw_sql("rollback").execute(&mut stranger).await.unwrap();
    store.check().await.unwrap();
    store.record(&main, issuance(&client, &new)).await.unwrap().unwrap();
    assert!(store.finish_build(&main, new.id, &client.id, Finish::Success, NOW).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_is_there_after_a_restart() {
    let Sqlite { store, folder } = Sqlite::fresh().await;
    let path = folder.path().join("state/buildpass.db");
    let (client, new) = running(&store).await;
    store.record(&issuer(), issuance(&client, &new)).await.unwrap().unwrap();
    let (build, rows) = (store.find_build(&issuer(), new.id).await.unwrap(), recorded(&store).await);
    store.close().await;
    // The writer closed last, so its log went into the file.
    assert!(!path.with_extension("db-wal").exists());

    let store = SqliteStore::open(&path, options()).await.unwrap();
    assert_eq!(store.find_build(&issuer(), new.id).await.unwrap(), build);
    assert_eq!(recorded(&store).await, rows);
    store.record(&issuer(), issuance(&client, &new)).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_is_its_owners_alone() {
    let sqlite = Sqlite::fresh().await;
    running(&sqlite.store).await;
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(sqlite.path().parent().unwrap()), 0o700);
    for end in ["db", "db-wal", "db-shm"] {
        assert_eq!(mode(&sqlite.path().with_extension(end)), 0o600, "{end}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_is_a_path_whatever_it_looks_like() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a b?mode=ro#x%20y.db", "file:x.db", ":memory:"] {
        let path = folder.path().join(name);
        let store = SqliteStore::open(&path, options()).await.unwrap();
        running(&store).await;
        assert!(store.describe().ends_with(name));
        store.close().await;
        assert!(path.is_file(), "{name}");
    }
    let not_a_folder = folder.path().join(":memory:/buildpass.db");
    assert!(is_unavailable(&SqliteStore::open(&not_a_folder, options()).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_is_brought_up_to_date_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("buildpass.db");
    let names: Vec<String> =
        ["issuing", "key_life", "shared", "identities", "exchange", "plain_words"].map(str::to_owned).into();
    let after = u32::try_from(names.len()).unwrap();
    let first = MigrationReport { before: 0, after, applied: names };
    let second = MigrationReport { before: after, after, applied: vec![] };
    assert_eq!(SqliteStore::migrate(&path).await.unwrap(), first);
    assert_eq!(SqliteStore::migrate(&path).await.unwrap(), second);
    SqliteStore::open(&path, options()).await.unwrap().check().await.unwrap();
}

/// Opens a file after something was done to it; the text of the refusal.
async fn refusal_after(statement: &'static str) -> String {
    let sqlite = Sqlite::fresh().await;
    sqlite.store.close().await;
    sqlite.meddle(statement).await;
    match SqliteStore::open(&sqlite.path(), options()).await {
        Err(StoreError::Schema(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_is_not_this_programs_is_refused() {
    let newer = refusal_after("insert into _sqlx_migrations values (99, 'later', 0, 1, x'00', 0)").await;
    assert!(newer.contains("newer than this program"), "{newer}");
    let edited = refusal_after("update _sqlx_migrations set checksum = x'00'").await;
    assert!(edited.contains("another text"), "{edited}");
    let half = refusal_after("update _sqlx_migrations set success = 0").await;
    assert!(half.contains("in part"), "{half}");
    let foreign = refusal_after("drop table _sqlx_migrations").await;
    assert!(foreign.contains("tables of another program"), "{foreign}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("buildpass.db");
    std::fs::write(&path, "not a database, but long enough to be taken for a page of one\n".repeat(100)).unwrap();
    let opened = SqliteStore::open(&path, options()).await;
    assert!(matches!(opened, Err(StoreError::Schema(_))), "{opened:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_carries_the_issuer_and_is_strict() {
    let sqlite = Sqlite::fresh().await;
    let mut stranger = sqlite.stranger().await;
    let tables = sqlx::query(
        "select t.name, t.strict, (select count(*) from pragma_table_info(t.name) where name = 'issuer' and \"notnull\") \
         from pragma_table_list as t where t.schema = 'main' and t.name not glob '_sqlx_*' and t.name not glob 'sqlite_*'",
    )
    .fetch_all(&mut stranger)
    .await
    .unwrap();
    assert!(tables.len() >= 9, "{}", tables.len());
    for table in &tables {
        let name: String = table.get(0);
        // The one mark that is of the whole file.
        let of_an_issuer = i64::from(name != "moved");
        assert_eq!((table.get::<i64, _>(1), table.get::<i64, _>(2)), (1, of_an_issuer), "{name}");
    }
    stranger.close().await.unwrap();
}

/// Each column that a stranger may spoil, how, and who reads it.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_we_never_write_stops_whoever_reads_it() {
    let cases: [(&'static str, &str, &str); 23] = [
        ("update registrations set build = '{\"org\":\"hunter2\"}'", "registrations", "build"),
        ("update registrations set build = '[\"hunter2\"'", "registrations", "build"),
        ("update registrations set audiences = '{\"hunter2\":1}'", "registrations", "audiences"),
        (
            "update builds set finished_at = 1, status = 'success'; pragma ignore_check_constraints = 1; \
          update builds set status = 'hunter2'",
            "builds",
            "status",
        ),
        ("pragma ignore_check_constraints = 1; update builds set tokens_issued = -1", "builds", "tokens_issued"),
        ("update clients set scopes = '[\"hunter2\"]'", "clients", "scopes"),
        ("pragma ignore_check_constraints = 1; update clients set secret = x'00'", "clients", "secret"),
        ("pragma ignore_check_constraints = 1; update request_tokens set kind = 'hunter2'", "request_tokens", "kind"),
        ("pragma ignore_check_constraints = 1; update names set kind = 'hunter2'", "names", "kind"),
        ("update signing_keys set alg = 'hunter2'", "signing_keys", "alg"),
        ("update audit set jti = 'hunter2'", "audit", "jti"),
        ("update audit set number = 'hunter2'", "audit", "number"),
        ("update audit set audiences = 'hunter2'", "audit", "audiences"),
        ("update audit set request_token_id = 'hunter2'", "audit", "request_token_id"),
        ("update credentials set scopes = 'hunter2'", "credentials", "scopes"),
        ("update credentials set packages = '{\"hunter2\":1}'", "credentials", "packages"),
        ("update credentials set id = 'hunter2'", "credentials", "id"),
        ("pragma ignore_check_constraints = 1; update credentials set revoked_at = 1", "credentials", "revoked_reason"),
        ("update entitlements set id = 'hunter2' || rowid", "entitlements", "id"),
        ("pragma ignore_check_constraints = 1; update entitlements set kind = 'hunter2'", "entitlements", "kind"),
        ("update publications set credential = 'hunter2'", "publications", "credential"),
        (
            "pragma ignore_check_constraints = 1; update publications set ecosystem = 'hunter2'",
            "publications",
            "ecosystem",
        ),
        ("update events set id = 'hunter2' || rowid", "events", "id"),
    ];
    for (statement, table, column) in cases {
        let error = first_error_after(statement).await;
        match &error {
            StoreError::Corrupt { table: t, column: c, .. } => assert_eq!((*t, *c), (table, column), "{statement}"),
            other => panic!("{statement}: {other:?}"),
        }
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

/// Spoils the file, then reads all that there is.
async fn first_error_after(statement: &'static str) -> StoreError {
    let sqlite = Sqlite::fresh().await;
    let store: &dyn Store = &sqlite.store;
    let world = World::new(store).await;
    let redemption = world.redemption(1);
    store.redeem(&issuer(), &redemption).await.unwrap().unwrap();
    let publication = version(redemption.credential.id, "app", "1.0");
    store.record_publication(&issuer(), &publication, &event()).await.unwrap().unwrap();
    sqlite.meddle(statement).await;
    let main = issuer();
    let (client, new) = (&world.client, &world.build);
    let reads = [
        store.find_build(&main, new.id).await.err(),
        store.find_client(&main, &client.id).await.err(),
        store.find_bearer(&main, new.tokens[1].digest).await.err(),
        store.list_names(&main).await.err(),
        store.read_keys(&main).await.err(),
        store.list_audit(&main, &Default::default(), None, 10).await.err(),
        store.find_credential(&main, redemption.credential.digest).await.err(),
        store.read_rules(&main, 0).await.err(),
        store.find_publications(&main, "app", "1.0", None).await.err(),
        store.list_events(&main, NOW, None, 10).await.err(),
    ];
    reads.into_iter().flatten().next().expect(statement)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoiled_row_lets_no_token_leave() {
    let sqlite = Sqlite::fresh().await;
    let store = &sqlite.store;
    let (client, new) = running(store).await;
    sqlite.meddle("pragma ignore_check_constraints = 1; update builds set tokens_issued = -5").await;
    let answer = store.record(&issuer(), issuance(&client, &new)).await;
    assert!(matches!(answer, Err(StoreError::Corrupt { table: "builds", .. })), "{answer:?}");
    assert_eq!(recorded(store).await, []);
}
