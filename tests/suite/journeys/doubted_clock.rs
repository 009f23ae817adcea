//! A server whose clock is doubted: it leaves the service and says why, signs nothing, serves its documents, and is back
//! by itself when the clock is right.

use std::sync::Arc;

use buildpass::base::{Moment, RELEASED, Seconds};

use crate::harness::postgres::PostgresServer;
use crate::harness::{Auth, Reply, START, Server, SettableClock, Start};

async fn ready(server: &Server) -> Reply {
    server.get("/health/ready", Auth::None).await
}

async fn jwks(server: &Server) -> Reply {
    server.get("/.well-known/jwks", Auth::None).await
}

/// Asserts that the server doubts its clock and names both times.
async fn doubts(server: &Server, times: [Moment; 2]) {
    let ready = ready(server).await;
    assert_eq!((ready.status, ready.json()["reasons"][0].as_str()), (503, Some("clock")), "{}", ready.text);
    let said = ready.json()["clock"].as_str().unwrap().to_owned();
    for time in times {
        assert!(said.contains(&time.to_string()), "{said}: {time}");
    }
}

/// Asserts that a known build gets no token, and is told why.
async fn signs_nothing(server: &Server) {
    let (_, build) = server.build().await;
    let pulled = server.pull(&build, "audience=x").await;
    assert_eq!((pulled.status, pulled.code().as_str()), (503, "unavailable"), "{}", pulled.text);
    assert!(pulled.text.contains("clock is doubted") && pulled.header("retry-after").is_some(), "{}", pulled.text);
}

async fn is_well(server: &Server) {
    let ready = ready(server).await;
    assert_eq!((ready.status, ready.text.as_str()), (200, r#"{"status":"ready"}"#));
    let (_, build) = server.build().await;
    server.pull(&build, "audience=x").await.token();
    assert_ne!(jwks(server).await.header("cache-control"), Some("no-cache"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_before_the_release_is_doubted_until_it_is_right() {
    for wrong in [RELEASED - Seconds::new(1), RELEASED - Seconds::new(7 * 365 * 86_400), Moment::from_unix(0)] {
        let server = Start::new("").at(&Arc::new(SettableClock::at(wrong))).go().await;
        for _ in 0..2 {
            doubts(&server, [wrong, RELEASED]).await;
            signs_nothing(&server).await;
            let documents = jwks(&server).await;
            assert_eq!(documents.json()["keys"].as_array().unwrap().len(), 4, "signing and announced keys");
            assert_eq!(documents.header("cache-control"), Some("no-cache"));
            assert_eq!(server.get("/.well-known/openid-configuration", Auth::None).await.status, 200);
            server.app.issuer().step().await.unwrap();
        }
        server.clock.set(START);
        server.app.issuer().step().await.unwrap();
        is_well(&server).await;
        server.clock.set(wrong);
        doubts(&server, [wrong, RELEASED]).await;
        assert_eq!(jwks(&server).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_store_gets_its_keys_as_soon_as_the_clock_is_right() {
    let wrong = RELEASED - Seconds::new(37 * 3_600);
    let clock = Arc::new(SettableClock::at(wrong));
    let server = Start::new("[keys]\nalgorithms = [\"ES256\"]\n").at(&clock).without_keys().go().await;
    doubts(&server, [wrong, RELEASED]).await;
    server.app.issuer().step().await.unwrap();
    assert!(server.app.issuer().keyring().view().list(START).is_empty(), "no key was made by a wrong clock");
    clock.set(START);
    server.app.issuer().step().await.unwrap();
    is_well(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn a_clock_apart_from_the_databases_is_doubted_until_it_is_right() {
    let database = PostgresServer::shared().database().await;
    let clock = Arc::new(SettableClock::at(START));
    let server = Start::new("").on(&database, &clock).go().await;
    server.app.issuer().step().await.unwrap();
    is_well(&server).await;
    let hour = Seconds::new(3_600);
    for wrong in [START + hour, START - hour, START + Seconds::new(2 * 366 * 86_400)] {
        clock.set(wrong);
        server.app.issuer().step().await.unwrap();
        doubts(&server, [wrong, wrong]).await;
        let said = ready(&server).await.json()["clock"].as_str().unwrap().to_owned();
        assert!(said.contains("the database server's clock at 2027-01-15T08:"), "{said}");
        signs_nothing(&server).await;
        let documents = jwks(&server).await;
        assert_eq!(documents.json()["keys"].as_array().unwrap().len(), 4, "as by the right clock");
        clock.set(START);
        server.app.issuer().step().await.unwrap();
        is_well(&server).await;
    }
}
