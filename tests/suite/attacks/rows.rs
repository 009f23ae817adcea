//! Key rows edited by hand, and wrong clocks. A sealed key that is moved to another row is not published, and a wrong
//! time deletes nothing.

use buildpass::base::{Moment, Seconds};
use buildpass::jose::Algorithm;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use crate::harness::{Auth, START, Server};

const TWO_YEARS: Seconds = Seconds::new(2 * 366 * 86_400);

/// Edits the key rows while the server is down, and starts it again.
async fn after(statement: &str) -> Server {
    let mut server = Server::start().await;
    server.end().await;
    let file = server.folder().join("data/buildpass.db");
    let mut stranger = sqlx::sqlite::SqliteConnectOptions::new().filename(file).connect().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut stranger).await.unwrap();
    stranger.close().await.unwrap();
    server.restart("").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_does_not_open_as_what_it_was_is_not_published_and_the_server_is_not_ready() {
    let signing = "(select kid from signing_keys where alg = 'RS256' order by signs_from limit 1)";
    let announced = "(select kid from signing_keys where alg = 'RS256' order by signs_from desc limit 1)";
    for (what, statement) in [
        (
            "two kids swapped",
            format!(
                "create temp table s as select kid, sealed from signing_keys; \
             update signing_keys set sealed = (select sealed from s where kid = {announced}) where kid = {signing};"
            ),
        ),
        ("a kid renamed", format!("update signing_keys set kid = 'mine' where kid = {signing}")),
        ("another algorithm", format!("update signing_keys set alg = 'ES256' where kid = {signing}")),
        (
            "a sealed text cut off",
            format!("update signing_keys set sealed = substr(sealed, 1, 40) where kid = {signing}"),
        ),
        (
            "an adopted row added by hand",
            "insert into adopted_keys (issuer, kid, sealed, kek) values \
          ('main', 'mine', x'7b226a776b223a7b7d7d', 'test')"
                .to_owned(),
        ),
        (
            "one of ours given out as adopted",
            format!(
                "insert into adopted_keys (issuer, kid, sealed, kek) select issuer, kid, sealed, kek from signing_keys \
             where kid = {signing}"
            ),
        ),
    ] {
        let server = after(&statement).await;
        let ready = server.get("/health/ready", Auth::None).await;
        assert_eq!((ready.status, ready.json()["reasons"][0].as_str()), (503, Some("keyring")), "{what}");
        let published = server.get("/.well-known/jwks", Auth::None).await;
        assert_eq!(published.status, 503, "{what}: documents that could mislead are not served");
        let keys = server.app.issuer().keyring().view();
        assert!(keys.published(START).iter().all(|jwk| jwk.kid() != "mine"), "{what}");
    }
}

async fn erased(server: &Server) -> usize {
    let keys = server.app.store().read_keys(&buildpass::base::IssuerId::main()).await.unwrap();
    keys.rows.iter().filter(|row| row.sealed.is_none()).count()
}

fn signer(server: &Server, now: Moment) -> String {
    server.app.issuer().keyring().view().signer(Algorithm::Rs256, now).unwrap().kid().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_set_back_beyond_the_skew_issues_nothing_until_it_is_right_again() {
    let server = Server::start().await;
    let (_, build) = server.build().await;
    server.app.issuer().step().await.unwrap();
    server.clock.set(START - Seconds::new(30));
    server.pull(&build, "audience=x").await.token();
    server.clock.set(START - Seconds::new(31));
    assert_eq!(server.pull(&build, "audience=x").await.code(), "unavailable");
    let ready = server.get("/health/ready", Auth::None).await;
    assert_eq!((ready.status, ready.json()["reasons"][0].as_str()), (503, Some("clock")));
    // A restart does not make the server ready either.
    let server = server.restart("").await;
    assert_eq!(server.get("/health/ready", Auth::None).await.status, 503);
    server.clock.set(START);
    server.app.issuer().step().await.unwrap();
    assert_eq!(server.get("/health/ready", Auth::None).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_two_years_ahead_for_a_minute_erases_nothing_and_the_same_keys_sign_afterwards() {
    let server = Server::start().await;
    // Long enough for keys to be due for deletion.
    for _ in 0..130 {
        server.clock.advance(30);
        server.app.issuer().step().await.unwrap();
    }
    let now = START + Seconds::new(130 * 30);
    let before = signer(&server, now);
    let (_, build) = server.build().await;
    server.clock.set(now + TWO_YEARS);
    for _ in 0..3 {
        server.app.issuer().step().await.unwrap();
    }
    assert_ne!(signer(&server, now + TWO_YEARS), before, "by that clock the announced key signs");
    assert_eq!(erased(&server).await, 0);
    server.clock.set(now);
    assert_eq!(server.pull(&build, "audience=x").await.code(), "unavailable");

    let revoked = server.app.issuer().keyring().accept_clock().await.unwrap();
    assert_eq!(revoked.len(), 2, "the two keys that were announced two years ahead");
    server.app.issuer().step().await.unwrap();
    assert_eq!(signer(&server, now), before);
    server.pull(&build, "audience=x").await.token();
    server.app.issuer().pulse().await;
    assert_eq!(server.get("/health/ready", Auth::None).await.text, r#"{"status":"ready"}"#);
    let held = server.app.issuer().keyring().view();
    assert!(held.list(now).iter().filter(|row| row.revoked_at.is_none()).count() >= 4);
}
