//! Keys from a remote server: fetched once for many callers, kept through an outage, and never used for too long.

use std::sync::Arc;
use std::time::Duration;

use buildpass::base::Seconds;
use buildpass::verifier::{Provider, ProviderSpec, Requirements, Verifiers};
use serde_json::json;

use super::forge::{Forge, claims_with};
use super::stranger::{Answer, Stranger, ok, with};
use crate::harness::{START, SettableClock};

/// Provider with its issuer on this server.
pub(crate) fn spec_at(stranger: &Stranger) -> ProviderSpec {
    ProviderSpec {
        kind: "generic".to_owned(),
        issuer: Some(stranger.url.clone()),
        allow_private: vec!["127.0.0.1".to_owned()],
        ..ProviderSpec::default()
    }
}

fn verifiers(spec: ProviderSpec) -> (Arc<Verifiers>, Arc<SettableClock>) {
    let clock = Arc::new(SettableClock::at(START));
    let provider = Provider::new("stranger", spec).unwrap();
    (Arc::new(Verifiers::of(vec![provider], clock.clone()).unwrap()), clock)
}

/// Token of this issuer and this `kid`, valid for two days.
fn token(forge: &Forge, stranger: &Stranger, kid: &str) -> String {
    let now = START.unix();
    let claims = claims_with(json!({ "iss": stranger.url, "iat": now, "exp": now + 86_400 }));
    forge.token(&json!({ "typ": "JWT", "alg": "RS256", "kid": kid }), &claims)
}

async fn reason_of(verifiers: &Verifiers, token: &str) -> &'static str {
    verifiers.verify(token, &Requirements::default()).await.map_or_else(|refusal| refusal.reason(), |_| "accepted")
}

/// Waits for this number of requests; a refresh runs in the background.
async fn asked(stranger: &Stranger, times: usize) {
    for _ in 0..200 {
        if stranger.asked() >= times {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(stranger.asked(), times);
}

#[tokio::test]
async fn keys_are_found_through_discovery_and_fetched_once_for_many_tokens() {
    let forge = Forge::new();
    let stranger = Stranger::issuer(&forge.jwks()).await;
    let (verifiers, _) = verifiers(spec_at(&stranger));
    for _ in 0..5 {
        assert_eq!(reason_of(&verifiers, &token(&forge, &stranger, "rsa")).await, "accepted");
    }
    assert_eq!(stranger.asked(), 2, "one discovery document and one key set");
}

#[tokio::test]
async fn keys_at_a_url_or_in_a_file_need_no_discovery() {
    let forge = Forge::new();
    let stranger = Stranger::issuer(&forge.jwks()).await;
    let (at_url, _) =
        verifiers(ProviderSpec { jwks_uri: Some(format!("{}/jwks", stranger.url)), ..spec_at(&stranger) });
    assert_eq!(reason_of(&at_url, &token(&forge, &stranger, "rsa")).await, "accepted");
    assert_eq!(stranger.asked(), 1);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), forge.jwks().to_string()).unwrap();
    let (in_file, clock) = verifiers(ProviderSpec { jwks_file: Some(file.path().into()), ..spec_at(&stranger) });
    assert_eq!(reason_of(&in_file, &token(&forge, &stranger, "rsa")).await, "accepted");
    std::fs::write(file.path(), Forge::new().jwks().to_string()).unwrap();
    clock.advance(3_600);
    for _ in 0..100 {
        if reason_of(&in_file, &token(&forge, &stranger, "rsa")).await == "signature" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(
        reason_of(&in_file, &token(&forge, &stranger, "rsa")).await,
        "signature",
        "a changed file is read again"
    );
    assert_eq!(stranger.asked(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_requests_with_unknown_kids_make_one_fetch() {
    let forge = Forge::new();
    let stranger = Stranger::issuer(&forge.jwks()).await;
    let (verifiers, clock) = verifiers(spec_at(&stranger));
    assert_eq!(reason_of(&verifiers, &token(&forge, &stranger, "rsa")).await, "accepted");
    clock.advance(61);
    let flood = |round: usize| {
        let tokens: Vec<String> =
            (0..1_000).map(|number| token(&forge, &stranger, &format!("kid-{round}-{number}"))).collect();
        tokens.into_iter().map(|token| {
            let verifiers = Arc::clone(&verifiers);
            tokio::spawn(async move { reason_of(&verifiers, &token).await })
        })
    };
    for flooded in flood(1).collect::<Vec<_>>() {
        assert_eq!(flooded.await.unwrap(), "unknown_key");
    }
    assert_eq!(stranger.asked(), 4, "the flood made one fetch of two documents");
    for flooded in flood(2).collect::<Vec<_>>() {
        assert_eq!(flooded.await.unwrap(), "unknown_key");
    }
    assert_eq!(stranger.asked(), 4, "and none within the cooldown");
}

#[tokio::test]
async fn a_new_key_is_found_by_its_unknown_kid() {
    let (old, new) = (Forge::new(), Forge::new());
    let stranger = Stranger::issuer(&old.jwks()).await;
    let (verifiers, clock) = verifiers(spec_at(&stranger));
    assert_eq!(reason_of(&verifiers, &token(&old, &stranger, "rsa")).await, "accepted");
    let mut renamed = new.rsa_jwk();
    renamed["kid"] = json!("new");
    stranger.set("/jwks", ok(json!({ "keys": [old.rsa_jwk(), renamed] }).to_string()));
    assert_eq!(reason_of(&verifiers, &token(&new, &stranger, "new")).await, "unknown_key", "within the cooldown");
    clock.advance(60);
    assert_eq!(reason_of(&verifiers, &token(&new, &stranger, "new")).await, "accepted");
    assert_eq!(reason_of(&verifiers, &token(&old, &stranger, "rsa")).await, "accepted");
}

#[tokio::test]
async fn while_the_issuer_is_down_known_keys_still_verify_and_unknown_ones_are_unavailable() {
    let forge = Forge::new();
    let stranger = Stranger::issuer(&forge.jwks()).await;
    let (verifiers, clock) = verifiers(spec_at(&stranger));
    assert_eq!(reason_of(&verifiers, &token(&forge, &stranger, "rsa")).await, "accepted");
    stranger.forget();
    clock.advance(7_200);
    assert_eq!(
        reason_of(&verifiers, &token(&forge, &stranger, "rsa")).await,
        "accepted",
        "an old set is better than none"
    );
    asked(&stranger, 3).await;
    assert_eq!(reason_of(&verifiers, &token(&forge, &stranger, "new")).await, "keys_unavailable");
    let before = stranger.asked();
    for _ in 0..20 {
        assert_eq!(reason_of(&verifiers, &token(&forge, &stranger, "new")).await, "keys_unavailable");
    }
    assert_eq!(stranger.asked(), before, "attempts that fail count too");
    clock.advance(10);
    stranger.discovery(&json!({ "issuer": stranger.url, "jwks_uri": format!("{}/jwks", stranger.url) }));
    stranger.set("/jwks", ok(forge.jwks().to_string()));
    assert_eq!(
        reason_of(&verifiers, &token(&forge, &stranger, "new")).await,
        "unknown_key",
        "found again without a restart"
    );
}

#[tokio::test]
async fn a_set_older_than_its_hard_stop_is_not_used() {
    let forge = Forge::new();
    let stranger = Stranger::issuer(&forge.jwks()).await;
    let (verifiers, clock) =
        verifiers(ProviderSpec { jwks_hard_stop: Some(Seconds::new(7_200)), ..spec_at(&stranger) });
    assert_eq!(reason_of(&verifiers, &token(&forge, &stranger, "rsa")).await, "accepted");
    stranger.forget();
    clock.advance(7_199);
    assert_eq!(reason_of(&verifiers, &token(&forge, &stranger, "rsa")).await, "accepted");
    asked(&stranger, 3).await;
    clock.advance(1);
    let refusal = verifiers.verify(&token(&forge, &stranger, "rsa"), &Requirements::default()).await.unwrap_err();
    assert_eq!(refusal.reason(), "keys_unavailable", "also for a token that was verified before");
    assert!(refusal.to_string().contains("404"), "{refusal}");
}

#[tokio::test]
async fn a_set_is_refreshed_early_and_no_caller_waits_for_it() {
    let forge = Forge::new();
    let stranger = Stranger::issuer(&forge.jwks()).await;
    let (verifiers, clock) = verifiers(spec_at(&stranger));
    assert_eq!(reason_of(&verifiers, &token(&forge, &stranger, "rsa")).await, "accepted");
    stranger.set("/jwks", Answer::Silence(Vec::new()));
    clock.advance(2_880);
    let waited = buildpass::base::SystemClock::new();
    assert_eq!(reason_of(&verifiers, &token(&forge, &stranger, "rsa")).await, "accepted");
    assert!(buildpass::base::Clock::monotonic(&waited) < Duration::from_secs(3), "the refresh runs beside it");
    asked(&stranger, 4).await;
}

#[tokio::test]
async fn a_token_is_verified_again_after_the_set_has_changed() {
    let (forge, other) = (Forge::new(), Forge::new());
    let stranger = Stranger::issuer(&forge.jwks()).await;
    let (verifiers, clock) = verifiers(spec_at(&stranger));
    let good = token(&forge, &stranger, "rsa");
    assert_eq!(reason_of(&verifiers, &good).await, "accepted");
    stranger.set("/jwks", ok(other.jwks().to_string()));
    clock.advance(61);
    assert_eq!(reason_of(&verifiers, &token(&forge, &stranger, "unknown")).await, "unknown_key");
    assert_eq!(reason_of(&verifiers, &good).await, "signature", "its key was replaced under the same name");
}

#[tokio::test]
async fn a_bearer_token_goes_to_the_issuers_origin_only_and_is_read_at_each_fetch() {
    let forge = Forge::new();
    let stranger = Stranger::issuer(&forge.jwks()).await;
    let elsewhere = Stranger::issuer(&forge.jwks()).await;
    stranger.discovery(&json!({ "issuer": stranger.url, "jwks_uri": format!("{}/jwks", elsewhere.url) }));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "first\n").unwrap();
    let (verifiers, clock) =
        verifiers(ProviderSpec { bearer_token_file: Some(file.path().into()), ..spec_at(&stranger) });
    assert_eq!(reason_of(&verifiers, &token(&forge, &stranger, "rsa")).await, "accepted");
    std::fs::write(file.path(), "second").unwrap();
    clock.advance(61);
    assert_eq!(reason_of(&verifiers, &token(&forge, &stranger, "x")).await, "unknown_key");
    let sent = |stranger: &Stranger| -> Vec<String> {
        let line = |head: &String| {
            let lower = head.to_lowercase();
            lower.lines().find(|line| line.starts_with("authorization:")).map(str::to_owned)
        };
        stranger.heads().iter().filter_map(line).collect()
    };
    assert_eq!(sent(&stranger), ["authorization: bearer first", "authorization: bearer second"]);
    assert!(sent(&elsewhere).is_empty(), "another port is another origin");
}

#[tokio::test]
async fn an_issuer_that_never_answered_is_unavailable_and_retried_after_a_pause() {
    let forge = Forge::new();
    let stranger = Stranger::start().await;
    let (verifiers, clock) = verifiers(spec_at(&stranger));
    for _ in 0..10 {
        assert_eq!(reason_of(&verifiers, &token(&forge, &stranger, "rsa")).await, "keys_unavailable");
    }
    assert_eq!(stranger.asked(), 1);
    clock.advance(10);
    stranger.set("/.well-known/openid-configuration", with("500 Internal Server Error", "", "x"));
    assert_eq!(reason_of(&verifiers, &token(&forge, &stranger, "rsa")).await, "keys_unavailable");
    assert_eq!(stranger.asked(), 2);
}
