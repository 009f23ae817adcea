//! What a PostgreSQL server must be, and what its end does: recognised at the start, survived while it lasts.

use std::sync::Arc;
use std::time::Duration;

use buildpass::base::{Clock, SystemClock};
use buildpass::store::postgres::{PostgresOptions, PostgresStore, Tls};
use buildpass::store::{Audit, InFlight, IssuanceRefusal, Keys, Store, StoreError};

use super::sample::{issuance, issuer, recorded, running};
use crate::harness::postgres::PostgresServer;

async fn refusal(options: PostgresOptions) -> String {
    match PostgresStore::open(options, InFlight::default()).await {
        Err(StoreError::Unavailable(text)) => text,
        other => panic!("{:?}", other.map(|_| "opened")),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn a_server_that_would_lose_a_record_is_refused_by_the_setting() {
    let server = PostgresServer::shared();
    let database = server.database().await;
    server.tell(&format!("alter database {} set synchronous_commit = off", database.database)).await;
    let output = refusal(database).await;
    assert!(output.contains("synchronous_commit is off") && output.contains("alter database"), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn a_server_that_can_only_be_read_is_refused() {
    let server = PostgresServer::shared();
    let database = server.database().await;
    server.tell(&format!("alter database {} set default_transaction_read_only = on", database.database)).await;
    assert!(refusal(database).await.contains("read-only"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn a_failure_to_connect_is_reported_without_the_password() {
    let database = PostgresServer::shared().database().await;
    let wrong = buildpass::base::Secret::new("hunter2".to_owned());
    let cases = [
        (PostgresOptions { password: Some(wrong), ..database.clone() }, "refused the user or the password"),
        (PostgresOptions { database: "nowhere".to_owned(), ..database.clone() }, "no such database"),
        (PostgresOptions { port: 1, ..database.clone() }, "refused"),
        (PostgresOptions { tls: Tls::Require, ..database.clone() }, "TLS"),
    ];
    for (options, expected) in cases {
        let shown = format!("{options} {options:?}");
        let output = refusal(options).await;
        assert!(output.contains(expected), "{output}");
        assert!(!output.contains("hunter2") && !shown.contains("password"), "{output} {shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn a_server_that_turned_read_only_under_us_counts_as_lost_and_is_found_again() {
    let server = PostgresServer::shared();
    let database = server.database().await;
    let store = PostgresStore::open(database.clone(), InFlight::default()).await.unwrap();
    let (client, new) = running(&store).await;
    store.record(&issuer(), issuance(&client, &new)).await.unwrap().unwrap();
    let name = &database.database;
    // What a failover leaves behind: our sessions end, and whoever answers at this address can only be read.
    let end_sessions = format!(
        "alter database {name} set default_transaction_read_only = on; \
         select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"
    );
    server.tell(&end_sessions).await;
    assert!(matches!(store.record(&issuer(), issuance(&client, &new)).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.key_poll(&issuer()).await, Err(StoreError::Unavailable(_))));
    server.tell(&format!("alter database {name} reset default_transaction_read_only")).await;
    let waited = SystemClock::new();
    while store.check().await.is_err() || store.key_poll(&issuer()).await.is_err() {
        assert!(waited.monotonic() < Duration::from_secs(5), "found again within five seconds");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    store.record(&issuer(), issuance(&client, &new)).await.unwrap().unwrap();
    assert_eq!(recorded(&store).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn a_server_stopped_and_started_under_load_loses_nothing_and_is_found_within_five_seconds() {
    let server = Arc::new(PostgresServer::start(&[]));
    let store = Arc::new(PostgresStore::open(server.database().await, InFlight::default()).await.unwrap());
    let (client, new) = running(store.as_ref()).await;
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let load: Vec<_> = (0..16)
        .map(|_| {
            let (store, client, new, stop) = (Arc::clone(&store), client.clone(), new.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut left = Vec::new();
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let wish = issuance(&client, &new);
                    let jti = wish.row.jti;
                    match store.record(&issuer(), wish).await {
                        Ok(Ok(())) => left.push(jti),
                        Ok(Err(IssuanceRefusal::NotActive)) => {
                            panic!("a server error is reported as an inactive token")
                        }
                        Ok(Err(other)) => panic!("{other:?}"),
                        Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                    }
                }
                left
            })
        })
        .collect();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let machine = Arc::clone(&server);
        tokio::task::spawn_blocking(move || machine.stop()).await.unwrap();
        assert!(store.check().await.is_err());
        let machine = Arc::clone(&server);
        tokio::task::spawn_blocking(move || machine.go_on()).await.unwrap();
        let waited = SystemClock::new();
        while store.check().await.is_err() || store.key_poll(&issuer()).await.is_err() {
            assert!(waited.monotonic() < Duration::from_secs(5), "found again within five seconds");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut left = Vec::new();
    for task in load {
        left.extend(task.await.unwrap());
    }
    let kept: std::collections::HashSet<_> = recorded(store.as_ref()).await.into_iter().map(|row| row.jti).collect();
    assert!(left.len() > 100, "{} tokens left", left.len());
    assert!(left.iter().all(|jti| kept.contains(jti)), "every token that left is in the record");
}

/// A certificate for 127.0.0.1 that its own authority signed, and the key, as files below `folder`.
fn certificate(folder: &std::path::Path) -> std::path::PathBuf {
    let made = std::process::Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(folder.join("server.key"))
        .arg("-out")
        .arg(folder.join("server.crt"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    folder.join("server.crt")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn a_connection_is_as_safe_as_its_mode_says() {
    let folder = tempfile::tempdir().unwrap();
    let known = certificate(folder.path());
    let other = tempfile::tempdir().unwrap();
    let stranger = certificate(other.path());
    let server = PostgresServer::start_with_tls(folder.path());
    let database = server.database().await;
    let open = async |tls: Tls, root: Option<&std::path::PathBuf>, host: &str| {
        let host = host.to_owned();
        let options = PostgresOptions { tls, root_certificates: root.cloned(), host, ..database.clone() };
        PostgresStore::open(options, InFlight::default()).await.map(drop)
    };
    open(Tls::Require, None, "127.0.0.1").await.unwrap();
    open(Tls::VerifyFull, Some(&known), "127.0.0.1").await.unwrap();
    open(Tls::VerifyCa, Some(&known), "localhost").await.unwrap();
    for (tls, root, host) in [
        (Tls::VerifyFull, None, "127.0.0.1"),
        (Tls::VerifyFull, Some(&stranger), "127.0.0.1"),
        (Tls::VerifyFull, Some(&known), "localhost"),
        (Tls::VerifyCa, Some(&stranger), "127.0.0.1"),
    ] {
        let refused = open(tls, root, host).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{tls:?} {root:?} {host}: {refused:?}");
    }
}
