//! Attacks around `store copy`: the source is used again, a name is bound anew in the target, a token is in neither.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use buildpass::base::IssuerId;
use buildpass::store::AuditFilter;
use serde_json::json;
use sqlx::{ConnectOptions, Connection};

use crate::cli::Folder;
use crate::harness::postgres::PostgresServer;
use crate::harness::{Auth, Server, claims, registration_with};

/// Runs a command in a folder of its own against this database.
fn copy(from: &std::path::Path, to: &buildpass::store::postgres::PostgresOptions) -> crate::cli::Run {
    let from = format!("sqlite://{}", from.display());
    Folder::new().run(&["store", "copy", "--from", &from, "--to", &PostgresServer::url(to), "--json"])
}

const MANY: u64 = 100_000;

/// Adds this many builds and audit rows, each a copy of the existing one.
async fn fill(file: &std::path::Path) {
    let mut stranger = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(file)
        .foreign_keys(false)
        .busy_timeout(Duration::from_secs(60))
        .connect()
        .await
        .unwrap();
    let id = "printf('01a00000-0000-7000-8000-%012x', n)";
    let many = format!("with recursive n (n) as (select 1 union all select n + 1 from n where n < {MANY})");
    for statement in [
        "begin immediate".to_owned(),
        format!(
            "{many} insert into registrations (issuer, build_id, client_id, key, body, build, audiences, registered_at) \
             select r.issuer, {id}, r.client_id, 'many-' || n, r.body, r.build, r.audiences, r.registered_at \
             from n, (select * from registrations limit 1) as r"
        ),
        format!(
            "{many} insert into builds (issuer, id, client_id, deadline) \
             select b.issuer, {id}, b.client_id, b.deadline from n, (select * from builds limit 1) as b"
        ),
        format!(
            "{many} insert into audit select a.issuer, {id}, a.issued_at, a.expires_at, a.build_id, a.client_id, \
             a.request_token_id, a.rule, a.org, a.repo, a.number, a.step, a.subject, a.audiences, a.alg, a.kid, \
             a.token_sha256, a.peer, a.claims, null from n, (select * from audit limit 1) as a"
        ),
        "commit".to_owned(),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut stranger).await.unwrap();
    }
    stranger.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn every_token_that_left_during_a_copy_is_in_the_target_and_the_source_starts_no_more() {
    const LIMITS: &str = "[limits]\nbuild_per_second = 0\ntokens_per_build = 0\n";
    let server = Arc::new(Server::with(LIMITS).await);
    let (client, build) = server.build().await;
    let file = server.folder().join("data/buildpass.db");
    let database = PostgresServer::shared().database().await;
    let stop = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..8)
        .map(|_| {
            let (server, stop) = (Arc::clone(&server), Arc::clone(&stop));
            let (url, token) = (build.request_url.clone(), build.request_token.clone());
            tokio::spawn(async move {
                let mut left = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let reply = server.get(&format!("{url}&audience=x"), Auth::Token(&token)).await;
                    match reply.status {
                        200 => left.push(claims(&reply.token())["jti"].as_str().unwrap().to_owned()),
                        503 => tokio::time::sleep(Duration::from_millis(5)).await,
                        other => panic!("{other} {}", reply.text),
                    }
                }
                left
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    fill(&file).await;
    let (from, to) = (file.clone(), database.clone());
    let copied = tokio::task::spawn_blocking(move || copy(&from, &to)).await.unwrap().json();
    assert_eq!(server.pull(&build, "audience=x").await.status, 503);
    assert_eq!(server.get("/.well-known/jwks", Auth::None).await.status, 200, "documents are served");
    stop.store(true, Ordering::Relaxed);
    let mut left = Vec::new();
    for task in load {
        left.extend(task.await.unwrap());
    }
    let rows = |name: &str| {
        let table = copied["tables"].as_array().unwrap().iter().find(|table| table["table"] == name).unwrap();
        table["rows"].as_u64().unwrap()
    };
    assert!(left.len() > 20, "{}", left.len());
    assert_eq!((rows("clients"), rows("signing_keys"), rows("names")), (1, 4, 2));
    assert!(rows("builds") > MANY && rows("audit") > MANY, "{} builds, {} records", rows("builds"), rows("audit"));

    // The copy took real time that the test's clock lacks; from here on the two agree.
    server.clock.advance(0);
    let moved = crate::harness::Start::new(LIMITS).on(&database, &server.clock).go().await;
    let (main, all) = (IssuerId::main(), AuditFilter::default());
    let kept = moved.app.store().list_audit(&main, &all, None, 1_000_000).await.unwrap();
    let kept: HashSet<_> = kept.into_iter().map(|row| row.jti.to_string()).collect();
    assert!(left.iter().all(|jti| kept.contains(jti)), "every token that a client received is in the target");
    let before = server.get("/.well-known/jwks", Auth::None).await;
    let after = moved.get("/.well-known/jwks", Auth::None).await;
    assert_eq!((before.status, &before.text), (200, &after.text), "the same keys");
    let path = build.request_url.strip_prefix(&server.url).unwrap();
    moved.get(&format!("{path}&audience=x"), Auth::Token(&build.request_token)).await.token();
    // A name that is bound in the source is bound in the target, in any case.
    let other = registration_with(&json!({"org": "ACME", "org_id": "666", "number": 99}));
    assert_eq!(moved.post("/api/v1/builds", Auth::Client(&client), &other).await.status, 409);
    moved.register(&client, &registration_with(&json!({"number": 98}))).await;

    let again = copy(&file, &database).failed(1);
    assert!(again.contains("nothing was copied: this copy was finished before, and postgres://"), "{again}");
    let other = Folder::installed();
    let again = copy(&other.path().join("data/buildpass.db"), &database).failed(1);
    assert!(again.contains("holds an installation already"), "{again}");
    let elsewhere = PostgresServer::shared().database().await;
    let again = copy(&file, &elsewhere).failed(1);
    assert!(again.contains("is marked as moved to"), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn a_source_that_was_copied_starts_no_server_and_takes_no_command() {
    let folder = Folder::installed();
    let file = folder.path().join("data/buildpass.db");
    let database = PostgresServer::shared().database().await;
    // An unreachable target leaves the source unchanged.
    let unreachable = buildpass::store::postgres::PostgresOptions { port: 1, ..database.clone() };
    copy(&file, &unreachable).failed(3);
    folder.serve(&[]).end();
    let (from, to) = (format!("sqlite://{}", file.display()), PostgresServer::url(&database));
    let copied = folder.run(&["store", "copy", "--from", &from, "--to", &to]);
    for (table, reason) in buildpass::store::copy::LEFT_BEHIND {
        assert!(copied.stderr.contains(&format!("not copied: {table}: {reason}")), "{copied:?}");
    }
    copied.done();
    let output = folder.run(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", ""]).failed(3);
    assert!(output.contains("this installation moved to postgres://"), "{output}");
    assert!(folder.run(&["clients", "create", "ci"]).failed(3).contains("moved to"));
}

/// Interrupts a copy, which leaves a marked source and a target without any commit.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn a_copy_that_was_cut_off_is_repeated_from_the_marked_source() {
    let folder = Folder::installed();
    let file = folder.path().join("data/buildpass.db");
    let database = PostgresServer::shared().database().await;
    buildpass::store::postgres::PostgresStore::migrate(database.clone()).await.unwrap();
    // Another session locks a table that is copied late, so that the copy is killed before its end.
    let lock = "begin; lock table signing_keys in exclusive mode; select pg_sleep(20)".to_owned();
    let (holder, place) = (database.clone(), database.clone());
    let held = tokio::spawn(async move { PostgresServer::tell_database(&holder, &lock).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    let from = format!("sqlite://{}", file.display());
    let url = PostgresServer::url(&place);
    let elsewhere = Folder::new();
    let mut cut_off = elsewhere.command(&["store", "copy", "--from", &from, "--to", &url]).spawn().unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    cut_off.kill().unwrap();
    cut_off.wait().unwrap();
    held.abort();
    let end = format!(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{}' and pid <> pg_backend_pid()",
        database.database
    );
    PostgresServer::shared().tell(&end).await;
    assert!(folder.run(&["clients", "create", "ci"]).failed(3).contains("moved to"), "the source is marked");
    let copied = copy(&file, &database).json();
    let keys = copied["tables"].as_array().unwrap().iter().find(|table| table["table"] == "signing_keys").unwrap();
    assert_eq!(keys["rows"], 4);
}

/// An operator revoked an adopted key before the move, and the former issuer still publishes it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn an_adopted_key_that_was_revoked_before_the_move_stays_out_and_the_others_still_verify() {
    let mut former = Folder::installed().run(&["keys", "export"]).json();
    former["keys"].as_array_mut().unwrap().truncate(2);
    let kid = |at: usize| former["keys"][at]["kid"].as_str().unwrap().to_owned();
    let (revoked, other) = (kid(0), kid(1));
    let reads = Arc::new(AtomicU64::new(0));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let source = format!("http://{}/keys", listener.local_addr().unwrap());
    let (document, counted) = (former.clone(), Arc::clone(&reads));
    let answer = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        std::future::ready(axum::Json(document.clone()))
    };
    let router = axum::Router::new().route("/keys", axum::routing::get(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });

    let folder = Folder::new();
    folder.run(&["keys", "new-kek", "kek"]).done();
    let config = |store: &str| {
        let kek = "key_encryption_keys = [{ id = \"one\", file = \"kek\" }]";
        let toml = format!("[store]\nurl = \"{store}\"\n[keys]\n{kek}\n");
        std::fs::write(folder.path().join("buildpass.toml"), toml).unwrap();
    };
    config("sqlite://data/buildpass.db");
    folder.run(&["keys", "init", "--adopt", &source, "--for", "3h", "--cached-for", "2h"]).done();
    let published = |served: &crate::cli::Served| {
        let keys: serde_json::Value = serde_json::from_str(&served.fetch("/.well-known/jwks")).unwrap();
        let kids = keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned());
        kids.collect::<HashSet<_>>()
    };
    let served = folder.serve(&[]);
    assert!(published(&served).is_superset(&[revoked.clone(), other.clone()].into()));
    served.end();
    folder.run(&["keys", "revoke", &revoked, "--reason", "in wrong hands"]).done();

    let database = PostgresServer::shared().database().await;
    copy(&folder.path().join("data/buildpass.db"), &database).json();
    config(&PostgresServer::url(&database));
    let before = reads.load(Ordering::Relaxed);
    let served = folder.serve(&[]);
    while reads.load(Ordering::Relaxed) == before {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Adoption follows shortly after the document is fetched.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let kids = published(&served);
    assert!(kids.contains(&other) && !kids.contains(&revoked), "{kids:?}");
    let listed = folder.run(&["keys", "list", "--json"]).done();
    assert!(listed.lines().any(|line| line.contains(&revoked) && line.contains(r#""state":"revoked""#)), "{listed}");
}
