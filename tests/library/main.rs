//! The verifier as another program uses it, in a process of its own: without the server's features.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::sync::Arc;

use buildpass::base::{Clock, Moment};
use buildpass::verifier::{Provider, ProviderSpec, Requirements, Verifiers};
use serde_json::Value;

const FOREIGN: &str = include_str!("../fixtures/foreign/tokens.jsonl");

/// The moment at which the fixtures are good.
struct Then;

impl Clock for Then {
    fn millis(&self) -> i64 {
        Moment::from_unix(1_800_000_000).unix() * 1_000
    }

    fn monotonic(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }
}

/// A program may have chosen a backend of jsonwebtoken itself; choosing again is an error there, and left to itself the
/// crate panics where two backends are compiled in.
#[tokio::test]
async fn a_program_that_installed_a_backend_of_jsonwebtoken_itself_is_left_in_peace() {
    jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default().unwrap();
    for line in FOREIGN.lines() {
        let made: Value = serde_json::from_str(line).unwrap();
        let spec = ProviderSpec {
            kind: "generic".to_owned(),
            issuer: Some("https://issuer.example".to_owned()),
            jwks: made.get("jwks").map(ToString::to_string),
            ..ProviderSpec::default()
        };
        let verifiers = Verifiers::of(vec![Provider::new("foreign", spec).unwrap()], Arc::new(Then)).unwrap();
        let token = made.get("token").and_then(Value::as_str).unwrap();
        verifiers.verify(token, &Requirements::default()).await.unwrap();
    }
    assert!(jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default().is_err(), "the program's is still there");
}
