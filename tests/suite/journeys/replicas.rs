//! Several servers on one PostgreSQL database. A change by one of them is effective on every other.

use std::sync::Arc;

use buildpass::base::{Clock, SystemClock};
use buildpass::jose::Algorithm;
use buildpass::store::postgres::PostgresOptions;
use serde_json::json;

use crate::harness::postgres::PostgresServer;
use crate::harness::{Auth, START, Server, SettableClock, Start, registration};

struct Replicas {
    clock: Arc<SettableClock>,
    database: PostgresOptions,
}

impl Replicas {
    async fn fresh() -> Self {
        Self { clock: Arc::new(SettableClock::at(START)), database: PostgresServer::shared().database().await }
    }

    async fn start(&self, toml: &str) -> Server {
        Start::new(toml).on(&self.database, &self.clock).go().await
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn a_request_token_of_one_server_works_at_every_other() {
    let replicas = Replicas::fresh().await;
    let (a, b) = (replicas.start("").await, replicas.start("").await);
    let client = a.client().await;
    let build = a.register(&client, &registration()).await;
    let path = build.request_url.strip_prefix(&a.url).unwrap();
    let token = b.get(&format!("{path}&audience=x"), Auth::Token(&build.request_token)).await.token();
    assert_eq!(a.get("/.well-known/jwks", Auth::None).await.text, b.get("/.well-known/jwks", Auth::None).await.text);
    assert_eq!(token.split('.').count(), 3);
    let finish = format!("/api/v1/builds/{}/finish", build.id);
    let finished = b.post(&finish, Auth::Client(&client), &json!({"status": "success"})).await;
    assert_eq!(finished.status, 204, "{}", finished.text);
    let gone = a.get(&format!("{path}&audience=x"), Auth::Token(&build.request_token)).await;
    assert_eq!(gone.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn a_revocation_at_one_server_is_heeded_by_the_others_at_their_next_reading() {
    let replicas = Replicas::fresh().await;
    let (a, b) = (replicas.start("").await, replicas.start("").await);
    for server in [&a, &b] {
        server.app.issuer().step().await.unwrap();
    }
    let kid = a.app.issuer().keyring().view().signer(Algorithm::Rs256, START).unwrap().kid().to_owned();
    let revoked = a.app.issuer().keyring().revoke(&kid, "found in a backup").await.unwrap();
    b.app.issuer().step().await.unwrap();
    let signer = b.app.issuer().keyring().view().signer(Algorithm::Rs256, START).unwrap();
    assert_eq!(Some(signer.kid()), revoked.promoted.as_deref());
    assert!(!b.get("/.well-known/jwks", Auth::None).await.text.contains(&kid));
    let (_, build) = b.build().await;
    b.pull(&build, "audience=x").await.token();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn one_servers_wrong_clock_stops_that_server_alone_and_is_not_remembered() {
    let replicas = Replicas::fresh().await;
    let good = replicas.start("").await;
    let wrong = Arc::new(SettableClock::at(START));
    let bad = Start::new("").on(&replicas.database, &wrong).go().await;
    for server in [&good, &bad] {
        server.app.issuer().step().await.unwrap();
    }
    let (_, build) = bad.build().await;
    bad.pull(&build, "audience=x").await.token();

    wrong.set(START + buildpass::base::Seconds::new(2 * 366 * 86_400));
    bad.app.issuer().step().await.unwrap();
    assert_eq!(bad.pull(&build, "audience=x").await.code(), "unavailable");
    let ready = bad.get("/health/ready", Auth::None).await;
    assert_eq!((ready.status, ready.json()["reasons"][0].as_str()), (503, Some("clock")));

    good.app.issuer().step().await.unwrap();
    let path = build.request_url.strip_prefix(&bad.url).unwrap();
    good.get(&format!("{path}&audience=x"), Auth::Token(&build.request_token)).await.token();
    wrong.set(START);
    bad.app.issuer().step().await.unwrap();
    bad.pull(&build, "audience=x").await.token();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn an_old_server_that_starts_again_during_an_update_changes_nothing() {
    let replicas = Replicas::fresh().await;
    let secret = "bpc_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";
    let first = replicas.start("").await;
    let declared = format!("[clients.ci]\nsecret = \"{secret}\"\n[keys]\nalgorithms = [\"ES256\", \"RS256\"]\n");
    let newer = replicas.start(&declared).await;
    let names = async |server: &Server| server.app.store().list_clients(&issuer()).await.unwrap().len();
    assert_eq!(names(&newer).await, 0, "the second start brings nothing in");
    let config = Start::new(&declared).on(&replicas.database, &replicas.clock).config();
    let (keeper, keyring) = (newer.app.rules_editor(), newer.app.issuer().keyring());
    // The second server's log warns of the difference, and an operator then applies it.
    let differs = buildpass::app::apply(&config, keeper, keyring, START, true).await.unwrap();
    insta::assert_debug_snapshot!("two_servers_whose_files_differ", differs);
    let changes = buildpass::app::apply(&config, keeper, keyring, START, false).await.unwrap();
    assert_eq!(changes, differs, "as it was announced");
    assert_eq!((changes.clients.len(), changes.algorithms.is_some()), (1, true));
    let older = replicas.start("").await;
    assert_eq!(names(&older).await, 1);
    first.app.issuer().step().await.unwrap();
    assert_eq!(first.app.issuer().keyring().view().algorithms(), [Algorithm::Es256, Algorithm::Rs256]);
    assert_eq!(older.app.issuer().keyring().view().algorithms(), [Algorithm::Es256, Algorithm::Rs256]);
}

fn issuer() -> buildpass::base::IssuerId {
    buildpass::base::IssuerId::main()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn while_the_database_is_down_documents_are_served_nothing_is_issued_and_nobody_is_told_a_lie() {
    let machine = Arc::new(PostgresServer::start(&[]));
    let replicas = Replicas { clock: Arc::new(SettableClock::at(START)), database: machine.database().await };
    let server = replicas.start("").await;
    let (client, build) = server.build().await;
    server.app.issuer().step().await.unwrap();
    server.pull(&build, "audience=x").await.token();
    let down = Arc::clone(&machine);
    tokio::task::spawn_blocking(move || down.stop()).await.unwrap();
    // Longer than `refresh_interval`, shorter than the time until documents are refused as stale.
    server.clock.advance(600);
    assert!(server.app.issuer().step().await.is_err());
    server.app.issuer().pulse().await;
    assert_eq!(server.get("/.well-known/jwks", Auth::None).await.status, 200);
    let ready = server.get("/health/ready", Auth::None).await;
    assert_eq!((ready.status, ready.json()["reasons"][0].as_str()), (200, Some("database")));
    for reply in [
        server.pull(&build, "audience=x").await,
        server.get(&format!("/api/v1/builds/{}", build.id), Auth::Client(&client)).await,
        server.post("/api/v1/builds", Auth::Client(&client), &registration()).await,
    ] {
        assert_eq!((reply.status, reply.code().as_str()), (503, "unavailable"), "{}", reply.text);
        assert!(reply.header("retry-after").is_some());
    }
    server.clock.advance(301);
    assert_eq!(server.get("/.well-known/jwks", Auth::None).await.status, 503, "by now they could mislead");

    let up = Arc::clone(&machine);
    tokio::task::spawn_blocking(move || up.go_on()).await.unwrap();
    let waited = SystemClock::new();
    while server.app.issuer().step().await.is_err() {
        assert!(waited.monotonic().as_secs() < 5, "found again within five seconds");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(server.get("/.well-known/jwks", Auth::None).await.status, 200);
    server.pull(&build, "audience=x").await.token();
}
