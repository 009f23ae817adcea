//! Discovery documents and key sets of servers that lie, stall or redirect.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use buildpass::base::{Clock, SystemClock};
use buildpass::verifier::{Provider, ProviderSpec, Requirements, Resolver, TokenRefusal, Verifiers};
use serde_json::{Value, json};

use crate::harness::{START, SettableClock};
use crate::verifier::forge::{Forge, claims_with, header};
use crate::verifier::remote::spec_at;
use crate::verifier::stranger::{Answer, Stranger, ok, with};

/// Returns the reason why tokens of this provider are rejected.
async fn unavailable(spec: ProviderSpec, resolver: Option<Arc<dyn Resolver>>) -> String {
    let forge = Forge::new();
    let clock = Arc::new(SettableClock::at(START));
    let issuer = spec.issuer.clone().unwrap();
    let providers = vec![Provider::new("stranger", spec).unwrap()];
    let verifiers = match resolver {
        None => Verifiers::of(providers, clock).unwrap(),
        Some(resolver) => Verifiers::resolved_by(providers, clock, resolver).unwrap(),
    };
    let token = forge.token(&header("RS256"), &claims_with(json!({ "iss": issuer })));
    match verifiers.verify(&token, &Requirements::default()).await {
        Err(TokenRefusal::KeysUnavailable { reason, .. }) => reason,
        other => panic!("{:?}", other.map(|_| "taken")),
    }
}

/// Returns the reason without the port of the server.
async fn told_by(stranger: &Stranger) -> String {
    unavailable(spec_at(stranger), None).await.replace(&stranger.port.to_string(), "PORT")
}

#[tokio::test]
async fn a_discovery_document_that_lies_is_believed_in_nothing() {
    let forge = Forge::new();
    let mut table = String::new();
    let stranger = Stranger::issuer(&forge.jwks()).await;
    let jwks = format!("{}/jwks", stranger.url);
    let documents: Vec<(&str, Value)> = vec![
        ("another issuer", json!({ "issuer": "https://token.actions.githubusercontent.com", "jwks_uri": jwks })),
        ("a slash more", json!({ "issuer": format!("{}/", stranger.url), "jwks_uri": jwks })),
        ("no issuer", json!({ "jwks_uri": jwks })),
        ("an issuer that is a list", json!({ "issuer": [stranger.url], "jwks_uri": jwks })),
        ("no jwks_uri", json!({ "issuer": stranger.url })),
        ("jwks_uri is no URL", json!({ "issuer": stranger.url, "jwks_uri": "keys" })),
        ("jwks_uri elsewhere", json!({ "issuer": stranger.url, "jwks_uri": "https://evil.example/jwks" })),
        ("jwks_uri at metadata", json!({ "issuer": stranger.url, "jwks_uri": "http://169.254.169.254/latest" })),
        ("jwks_uri in a file", json!({ "issuer": stranger.url, "jwks_uri": "file:///etc/passwd" })),
        ("jwks_uri with a user", json!({ "issuer": stranger.url, "jwks_uri": jwks.replace("http://", "http://u:p@") })),
        ("a list", json!([])),
    ];
    for (name, document) in documents {
        stranger.discovery(&document);
        table.push_str(&format!("{name}: {}\n", told_by(&stranger).await));
    }
    let twice = format!(r#"{{"issuer":"{}","issuer":"{}","jwks_uri":"{jwks}"}}"#, stranger.url, stranger.url);
    stranger.set("/.well-known/openid-configuration", ok(twice));
    table.push_str(&format!("issuer twice: {}\n", told_by(&stranger).await));
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn a_key_set_that_is_none_or_too_much_is_refused_whole() {
    let forge = Forge::new();
    let stranger = Stranger::issuer(&forge.jwks()).await;
    let many = |count: usize| json!({ "keys": vec![forge.rsa_jwk(); count] }).to_string();
    let weak = json!({ "keys": [{ "kty": "RSA", "kid": "rsa", "n": "AQAB", "e": "AQAB" }] }).to_string();
    let deep = format!("{{\"keys\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let gzip = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    let answers: Vec<(&str, Answer)> = vec![
        ("not found", with("404 Not Found", "", "x")),
        ("no content", with("204 No Content", "", "")),
        ("partial", with("206 Partial Content", "", forge.jwks().to_string())),
        ("HTML", ok("<html>")),
        ("an empty object", ok("{}")),
        ("no keys", ok(r#"{"keys":[]}"#)),
        ("keys twice", ok(r#"{"keys":[],"keys":[]}"#)),
        ("a weak key alone", ok(weak)),
        ("101 keys", ok(many(101))),
        ("10 000 keys", ok(json!({ "keys": vec![json!({}); 10_000] }).to_string())),
        ("deep nesting", ok(deep)),
        ("a gzip bomb", with("200 OK", "Content-Encoding: gzip\r\n", gzip)),
        ("more than a mebibyte", ok(vec![b' '; 1_048_577])),
        ("more than a mebibyte, in chunks", Answer::Endless(b"HTTP/1.1 200 OK\r\n\r\n".to_vec())),
        ("no HTTP", Answer::Bytes(b"SSH-2.0-OpenSSH\r\n".to_vec())),
        ("an end in the middle", Answer::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{".to_vec())),
    ];
    let mut table = String::new();
    for (name, answer) in answers {
        stranger.set("/jwks", answer);
        table.push_str(&format!("{name}: {}\n", told_by(&stranger).await));
    }
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn a_server_that_stalls_is_waited_for_five_seconds() {
    let forge = Forge::new();
    for answer in [
        Answer::Silence(Vec::new()),
        Answer::Silence(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".to_vec()),
        Answer::Late(Duration::from_secs(8), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".to_vec()),
    ] {
        let stranger = Stranger::issuer(&forge.jwks()).await;
        stranger.set("/jwks", answer);
        let waited = SystemClock::new();
        let text = told_by(&stranger).await;
        assert!(text.contains("did not answer within 5 seconds"), "{text}");
        assert!(waited.monotonic() < Duration::from_secs(7), "{:?}", waited.monotonic());
    }
}

#[tokio::test]
async fn a_redirect_leads_nowhere_but_to_the_same_origin_and_not_for_ever() {
    let forge = Forge::new();
    let (stranger, other) = (Stranger::issuer(&forge.jwks()).await, Stranger::issuer(&forge.jwks()).await);
    let to = |location: &str| with("302 Found", &format!("Location: {location}\r\n"), "");
    let mut table = String::new();
    for (name, location) in [
        ("metadata", "http://169.254.169.254/latest/meta-data".to_owned()),
        ("another port of loopback", format!("{}/jwks", other.url)),
        ("another host", "https://evil.example/jwks".to_owned()),
        ("a file", "file:///etc/passwd".to_owned()),
        ("itself, for ever", "/jwks".to_owned()),
        ("nowhere", String::new()),
    ] {
        stranger.set("/jwks", to(&location));
        let text = told_by(&stranger).await;
        table.push_str(&format!("{name}: {text}\n"));
    }
    assert_eq!(other.asked(), 0, "nobody else was asked");
    stranger.set("/jwks", with("302 Found", "", ""));
    table.push_str(&format!("no location: {}\n", told_by(&stranger).await));
    insta::assert_snapshot!(table);
    // Three on one origin are followed.
    stranger.set("/jwks", to("/a"));
    stranger.set("/a", to("/b"));
    stranger.set("/b", to("/c"));
    stranger.set("/c", ok(forge.jwks().to_string()));
    let clock = Arc::new(SettableClock::at(START));
    let verifiers = Verifiers::of(vec![Provider::new("stranger", spec_at(&stranger)).unwrap()], clock).unwrap();
    let token = forge.token(&header("RS256"), &claims_with(json!({ "iss": stranger.url })));
    verifiers.verify(&token, &Requirements::default()).await.unwrap();
}

/// Resolver that answers each query with another address.
struct Rebinding {
    addresses: Vec<Vec<&'static str>>,
    asked: AtomicUsize,
}

#[async_trait]
impl Resolver for Rebinding {
    async fn addresses(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = &self.addresses[asked.min(self.addresses.len() - 1)];
        Ok(answer.iter().map(|address| address.parse().unwrap()).collect())
    }
}

#[tokio::test]
async fn a_name_that_turns_to_a_private_address_is_not_dialled() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    for address in
        ["127.0.0.1", "::ffff:127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "64:ff9b::7f00:1"]
    {
        let resolver = Rebinding { addresses: vec![vec![address]], asked: AtomicUsize::new(0) };
        let spec = ProviderSpec {
            kind: "generic".to_owned(),
            issuer: Some(format!("https://rebinding.example:{port}")),
            ..ProviderSpec::default()
        };
        let text = unavailable(spec, Some(Arc::new(resolver))).await;
        assert!(text.contains("rebinding.example has no public address"), "{address}: {text}");
    }
    assert!(listener.accept().is_err(), "nobody called");
}

/// The checked address is the one that is dialled. Only a second fetch resolves the name again, and checks the answer
/// again.
#[tokio::test]
async fn a_name_is_resolved_once_for_each_request_and_checked_each_time() {
    let forge = Forge::new();
    let stranger = Stranger::issuer(&forge.jwks()).await;
    let issuer = format!("http://localhost:{}", stranger.port);
    stranger.discovery(&json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/jwks") }));
    let resolver = Arc::new(Rebinding {
        addresses: vec![vec!["127.0.0.1"], vec!["10.0.0.1", "169.254.169.254"]],
        asked: AtomicUsize::new(0),
    });
    let spec = ProviderSpec {
        kind: "generic".to_owned(),
        issuer: Some(issuer),
        allow_private: vec!["localhost".to_owned()],
        ..ProviderSpec::default()
    };
    let text = unavailable(spec, Some(resolver.clone())).await;
    assert!(text.contains("localhost has no public address"), "{text}");
    assert_eq!(stranger.asked(), 1, "the discovery document alone");
    assert_eq!(resolver.asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_certificate_that_leads_nowhere_is_not_taken() {
    let stranger = Stranger::start().await;
    let spec = ProviderSpec {
        kind: "generic".to_owned(),
        issuer: Some(format!("https://127.0.0.1:{}", stranger.port)),
        allow_private: vec!["127.0.0.1".to_owned()],
        ..ProviderSpec::default()
    };
    let text = unavailable(spec, None).await;
    assert!(text.contains("could not connect to"), "{text}");
    assert_eq!(stranger.asked(), 0, "nothing was sent in clear");
}
