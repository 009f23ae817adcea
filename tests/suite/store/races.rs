//! Many at once: what the counts, the constraints and the group commit must withstand.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use buildpass::policy::Client;
use buildpass::store::sqlite::{SqliteOptions, SqliteStore};
use buildpass::store::{
    Audit, AuditRow, Builds, Clients, Disabled, Finish, Issuance, IssuanceRefusal, KeyRow, KeyTimes, Keys, NewBuild,
    Pending, Registered, RegistrationRefusal, RequestTokens, Store, TokenKind,
};
use futures_util::FutureExt;
use futures_util::future::join_all;

use super::sample::{
    NOW, Sqlite, acme, at_once, build, client, digest, issuance, issuer, options, recorded, registration, rows,
    running, token,
};

/// Two stores of two processes, as it were, on one file.
struct Pair {
    stores: [Arc<SqliteStore>; 2],
    _folder: tempfile::TempDir,
}

impl Pair {
    async fn fresh() -> Self {
        let Sqlite { store, folder } = Sqlite::fresh().await;
        let other = SqliteStore::open(&folder.path().join("state/buildpass.db"), options()).await.unwrap();
        Self { stores: [Arc::new(store), Arc::new(other)], _folder: folder }
    }

    /// Runs `act` this often at once, half of it in each store, and gives back all answers.
    async fn race<F, T>(&self, racers: usize, act: impl Fn(Arc<SqliteStore>, usize) -> F) -> Vec<T>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let tasks = (0..racers).map(|racer| tokio::spawn(act(Arc::clone(&self.stores[racer % 2]), racer)));
        join_all(tasks.collect::<Vec<_>>()).await.into_iter().map(Result::unwrap).collect()
    }

    fn one(&self) -> &SqliteStore {
        &self.stores[0]
    }

    /// Sixty-four at once; how many were let through, and that all others were refused for this reason.
    async fn issue(&self, wish: impl Fn() -> Issuance, reason: IssuanceRefusal) -> usize {
        let answers = self
            .race(64, |store, _| {
                let wish = wish();
                async move { store.record(&issuer(), wish).await.unwrap() }
            })
            .await;
        let refused = answers.iter().filter(|answer| **answer == Err(reason)).count();
        let left = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(left + refused, 64);
        left
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sixty_four_racers_exactly_the_builds_quota_leaves() {
    let pair = Pair::fresh().await;
    let (client, new) = running(pair.one()).await;
    let wish = || Issuance { tokens_per_build: Some(20), ..issuance(&client, &new) };
    assert_eq!(pair.issue(wish, IssuanceRefusal::BuildQuota).await, 20);
    assert_eq!(recorded(pair.one()).await.len(), 20);
    let build = pair.one().find_build(&issuer(), new.id).await.unwrap().unwrap();
    assert_eq!(build.tokens_issued, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sixty_four_racers_exactly_the_rules_quota_leaves() {
    let pair = Pair::fresh().await;
    let (client, new) = running(pair.one()).await;
    let wish = || {
        let mut wish = Issuance { tokens_by_rule: Some(20), ..issuance(&client, &new) };
        wish.row.rule = Some("deploys".to_owned());
        wish
    };
    assert_eq!(pair.issue(wish, IssuanceRefusal::RuleQuota).await, 20);
    assert_eq!(recorded(pair.one()).await.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sixty_four_racers_exactly_the_tokens_uses_leave() {
    let pair = Pair::fresh().await;
    let (client, new) = running(pair.one()).await;
    let mut step = token(TokenKind::Step);
    step.max_uses = Some(20);
    pair.one().create_request_token(&issuer(), new.id, &step, NOW).await.unwrap().unwrap();
    let wish = || {
        let mut wish = issuance(&client, &new);
        wish.row.request_token_id = Some(step.id);
        wish
    };
    assert_eq!(pair.issue(wish, IssuanceRefusal::TokenUses).await, 20);
    assert_eq!(recorded(pair.one()).await.len(), 20);
}

/// Tokens leave from both stores while `end` runs in one of them: none leaves after it, and none is counted twice.
async fn none_leaves_after<F>(pair: &Pair, client: &Client, new: &NewBuild, end: impl Fn(Arc<SqliteStore>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (started, mut ready) = tokio::sync::mpsc::channel(1);
    let racers = pair.race(8, |store, _| {
        let (client, new, started) = (client.clone(), new.clone(), started.clone());
        async move {
            let mut left = 0;
            while store.record(&issuer(), issuance(&client, &new)).await.unwrap().is_ok() {
                left += 1;
                let _full = started.try_send(());
            }
            left
        }
    });
    let ending = async {
        ready.recv().await.unwrap();
        end(Arc::clone(&pair.stores[1])).await;
        recorded(pair.one()).await.len()
    };
    let (left, at_the_end) = tokio::join!(racers, ending);
    let left: usize = left.into_iter().sum();
    assert_eq!((left, recorded(pair.one()).await.len()), (at_the_end, at_the_end));
    let build = pair.one().find_build(&issuer(), new.id).await.unwrap().unwrap();
    assert_eq!(usize::try_from(build.tokens_issued).unwrap(), at_the_end);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_leaves_after_its_build_was_finished() {
    let pair = Pair::fresh().await;
    let (client, new) = running(pair.one()).await;
    none_leaves_after(&pair, &client, &new, |store| {
        let (build, client) = (new.id, client.id.clone());
        async move { assert!(store.finish_build(&issuer(), build, &client, Finish::Success, NOW).await.unwrap()) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_leaves_after_its_client_was_disabled() {
    let pair = Pair::fresh().await;
    let (client, new) = running(pair.one()).await;
    none_leaves_after(&pair, &client, &new, |store| async move {
        let disabled = store.disable_client(&issuer(), "ci", NOW).await.unwrap();
        assert_eq!(disabled, Some(Disabled { builds_ended: 1 }));
    })
    .await;
}

/// Twenty registrations with one key at once; how many were new, and what the others were told.
async fn register_at_once(bodies_differ: bool) -> (usize, Vec<Result<Registered, RegistrationRefusal>>, Pair) {
    let pair = Pair::fresh().await;
    let client = client("ci");
    pair.one().create_client(&issuer(), &client, digest()).await.unwrap().unwrap();
    let answers = pair
        .race(20, |store, _| {
            let client = client.clone();
            let mut new = registration(acme(17));
            if bodies_differ {
                new.body = digest();
            }
            async move { store.register_build(&issuer(), &client, &new).await.unwrap() }
        })
        .await;
    let (new, others): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| matches!(answer, Ok(Registered::New { .. })));
    (new.len(), others, pair)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_registration_sent_twenty_times_at_once_makes_one_build() {
    let (new, others, _pair) = register_at_once(false).await;
    assert_eq!(new, 1);
    let builds: Vec<_> = others
        .iter()
        .map(|answer| match answer {
            Ok(Registered::Repeated(build)) => build.id,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(builds.iter().all(|build| *build == builds[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_registrations_under_one_key_at_once_make_one_build() {
    let (new, others, _pair) = register_at_once(true).await;
    assert_eq!(new, 1);
    assert!(others.iter().all(|answer| matches!(answer, Err(RegistrationRefusal::BuildExists(_)))));
    assert!(others.iter().all(|answer| *answer == others[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_twenty_ids_gets_a_name_that_all_want_at_once() {
    let pair = Pair::fresh().await;
    let client = client("ci");
    pair.one().create_client(&issuer(), &client, digest()).await.unwrap().unwrap();
    let answers = pair
        .race(20, |store, racer| {
            let client = client.clone();
            async move {
                let id = format!("{racer}");
                let new = registration(build(("acme", Some(&id)), ("app", Some(&id)), u64::try_from(racer).unwrap()));
                store.register_build(&issuer(), &client, &new).await.unwrap()
            }
        })
        .await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    let bound = |answer: &&Result<_, _>| matches!(answer, Err(RegistrationRefusal::NameBound { .. }));
    assert_eq!(answers.iter().filter(bound).count(), 19);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_twenty_takes_a_clients_name_and_one_a_key_version() {
    let pair = Pair::fresh().await;
    let made =
        pair.race(20, |store, _| async move {
            store.create_client(&issuer(), &client("ci"), digest()).await.unwrap().is_ok()
        })
        .await;
    assert_eq!(made.into_iter().filter(|made| *made).count(), 1);

    let advanced = pair
        .race(20, |store, racer| async move {
            let key = KeyRow {
                kid: format!("{racer}"),
                alg: buildpass::jose::Algorithm::Es256,
                sealed: Some(vec![1]),
                kek: Some("k1".to_owned()),
                times: Some(KeyTimes { announced_at: NOW, signs_from: NOW }),
                ends_at: None,
                revoked_at: None,
                revoked_reason: None,
                jwks_max_age: buildpass::base::Seconds::new(1),
                max_lifetime: buildpass::base::Seconds::new(1),
            };
            store.advance_keys(&issuer(), 0, &rows(vec![key]), &at_once()).await.unwrap()
        })
        .await;
    assert_eq!(advanced.into_iter().filter(|advanced| *advanced).count(), 1);
    let keys = pair.one().read_keys(&issuer()).await.unwrap();
    assert_eq!((keys.version, keys.rows.len()), (1, 1));
}

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
async fn lingering(linger: Duration) -> (Sqlite, Pending) {
    let pending = Pending::default();
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
