//! Generating a slow RSA key does not delay any request.

use std::sync::Arc;
use std::time::Duration;

use crate::harness::{Auth, Server};

/// Runs on one thread. If the key were generated on it, no request would be answered meanwhile.
#[tokio::test]
async fn while_a_key_is_being_made_every_request_is_served() {
    let server = Server::with("[keys]\nalgorithms = [\"RS256\"]\n").await;
    // The announced key is generated shortly before the rotation, so the clock advances there in steps.
    for _ in 0..13 {
        server.clock.advance(43_200);
        server.app.issuer().step().await.unwrap();
    }
    let before = server.get("/.well-known/jwks", Auth::None).await.text;
    server.entropy.hold_rsa();
    let step = loop {
        server.clock.advance(600);
        let issuer = Arc::clone(server.app.issuer());
        let mut step = tokio::spawn(async move { issuer.step().await });
        while !step.is_finished() && !server.entropy.holds_rsa() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if !step.is_finished() {
            break step;
        }
        (&mut step).await.unwrap().unwrap();
    };
    let (_, build) = server.build().await;
    for _ in 0..5 {
        for path in ["/.well-known/openid-configuration", "/.well-known/jwks", "/health/ready"] {
            assert_eq!(server.get(path, Auth::None).await.status, 200, "{path}");
        }
        assert_eq!(server.pull(&build, "audience=x").await.status, 200);
        assert!(server.entropy.holds_rsa(), "the key is still being made");
    }
    server.entropy.let_rsa_go();
    step.await.unwrap().unwrap();
    server.clock.advance(7_200);
    server.app.issuer().step().await.unwrap();
    assert_ne!(server.get("/.well-known/jwks", Auth::None).await.text, before, "the next key is announced");
}
