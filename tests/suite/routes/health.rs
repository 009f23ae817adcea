//! Health and metrics.

use crate::harness::{Auth, Server};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_can_issue_is_ready_on_both_listeners() {
    let server = Server::start().await;
    for base in [&server.url, &server.admin] {
        assert_eq!(server.get(&format!("{base}/health/live"), Auth::None).await.status, 200);
        let ready = server.get(&format!("{base}/health/ready"), Auth::None).await;
        assert_eq!((ready.status, ready.text.as_str()), (200, r#"{"status":"ready"}"#));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_tokens_and_refusals_and_show_nothing_of_a_request() {
    let server = Server::start().await;
    let (_, build) = server.build().await;
    server.pull(&build, "audience=very-secret-audience").await.token();
    server.pull(&build, "audience=x&algorithm=ES256").await.token();
    assert_eq!(server.pull(&build, "audience=").await.code(), "audience_required");
    let reply = server.get(&format!("{}/metrics", server.admin), Auth::None).await;
    assert_eq!(reply.status, 200);
    for line in [
        r#"buildpass_tokens_issued_total{alg="RS256"} 1"#,
        r#"buildpass_tokens_issued_total{alg="ES256"} 1"#,
        r#"buildpass_refusals_total{code="audience_required"} 1"#,
        "buildpass_signing_seconds_count 2",
        "buildpass_signing_queue 0",
    ] {
        assert!(reply.text.contains(line), "{line} in {}", reply.text);
    }
    assert!(!reply.text.contains("very-secret-audience") && !reply.text.contains(&build.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_were_not_read_for_long_are_not_served() {
    let server = Server::start().await;
    server.clock.advance(900);
    assert_eq!(server.get("/.well-known/jwks", Auth::None).await.status, 200);
    server.clock.advance(1);
    let jwks = server.get("/.well-known/jwks", Auth::None).await;
    assert_eq!((jwks.status, jwks.code().as_str()), (503, "unavailable"));
    assert_eq!(jwks.header("access-control-allow-origin"), None);
    let ready = server.get("/health/ready", Auth::None).await;
    assert_eq!((ready.status, ready.json()["reasons"][0].as_str()), (503, Some("stale")));
    server.app.issuer().step().await.unwrap();
    assert_eq!(server.get("/.well-known/jwks", Auth::None).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_gone_degrades_the_server_and_leaves_its_documents() {
    let server = Server::start().await;
    let (_, build) = server.build().await;
    server.app.close().await;
    server.app.issuer().pulse().await;
    let ready = server.get("/health/ready", Auth::None).await;
    assert_eq!((ready.status, ready.text.as_str()), (200, r#"{"status":"degraded","reasons":["database"]}"#));
    assert_eq!(server.pull(&build, "audience=x").await.code(), "unavailable");
    assert_eq!(server.get("/.well-known/jwks", Auth::None).await.status, 200);
}
