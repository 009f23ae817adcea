//! The verifier as another program uses it, in a process of its own and without the server's features.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::sync::Arc;

use buildpass::base::{Clock, Moment};
use buildpass::verifier::{Provider, ProviderSpec, Requirements, Verifiers};
use serde_json::Value;

const FOREIGN: &str = include_str!("../fixtures/foreign/tokens.jsonl");

/// A clock at the time at which the fixtures are valid.
struct FixtureClock;

impl Clock for FixtureClock {
    fn millis(&self) -> i64 {
        Moment::from_unix(1_800_000_000).unix() * 1_000
    }

    fn monotonic(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }
}

/// A program may have installed a backend of jsonwebtoken itself. Installing another is an error, and without one the
/// crate panics if two backends are compiled in.
#[tokio::test]
async fn the_verifier_keeps_the_backend_of_jsonwebtoken_that_the_program_installed() {
    jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default().unwrap();
    for line in FOREIGN.lines() {
        let fixture: Value = serde_json::from_str(line).unwrap();
        let spec = ProviderSpec {
            kind: "generic".to_owned(),
            issuer: Some("https://issuer.example".to_owned()),
            jwks: fixture.get("jwks").map(ToString::to_string),
            ..ProviderSpec::default()
        };
        let verifiers = Verifiers::of(vec![Provider::new("foreign", spec).unwrap()], Arc::new(FixtureClock)).unwrap();
        let token = fixture.get("token").and_then(Value::as_str).unwrap();
        verifiers.verify(token, &Requirements::default()).await.unwrap();
    }
    assert!(
        jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default().is_err(),
        "the program's backend must stay"
    );
}
