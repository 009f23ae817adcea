//! Configuration of providers: refused settings, and the provider that is selected for a token.

use std::sync::Arc;

use buildpass::base::Seconds;
use buildpass::verifier::{Provider, ProviderSpec, Requirements, Verifiers};
use serde_json::json;

use super::forge::{AUDIENCE, Forge, ISSUER};
use super::{refused, spec, verifiers};
use crate::harness::{START, SettableClock};

#[test]
fn a_provider_with_a_wrong_setting_is_refused_by_its_field() {
    let with = |change: &dyn Fn(&mut ProviderSpec)| {
        let mut spec =
            ProviderSpec { kind: "generic".to_owned(), issuer: Some(ISSUER.to_owned()), ..ProviderSpec::default() };
        change(&mut spec);
        spec
    };
    let some = |text: &str| Some(text.to_owned());
    let cases: Vec<ProviderSpec> = vec![
        with(&|spec| spec.kind = "gihub".to_owned()),
        with(&|spec| spec.issuer = None),
        with(&|spec| spec.issuer = some("issuer.example")),
        with(&|spec| spec.issuer = some("http://issuer.example")),
        with(&|spec| spec.issuer = some("http://127.0.0.1:9")),
        with(&|spec| spec.issuer = some("https://10.0.0.1")),
        with(&|spec| spec.issuer = some("https://169.254.169.254")),
        with(&|spec| spec.issuer = some("https://u:p@issuer.example")),
        with(&|spec| spec.issuer = some("https://issuer.example?x=1")),
        with(&|spec| spec.jwks_uri = some("ftp://issuer.example/keys")),
        with(&|spec| {
            spec.jwks_uri = some("https://issuer.example/keys");
            spec.jwks = some("{}");
        }),
        with(&|spec| spec.clock_skew_tolerance = Some(Seconds::new(301))),
        with(&|spec| spec.allowed_algorithms = Some(Vec::new())),
        with(&|spec| spec.max_token_lifetime = Some(Seconds::ZERO)),
        with(&|spec| spec.jwks_refresh_interval = Some(Seconds::ZERO)),
        with(&|spec| {
            spec.jwks_refresh_interval = Some(Seconds::new(60));
            spec.jwks_hard_stop = Some(Seconds::new(59));
        }),
        with(&|spec| spec.required_audience = some("")),
        with(&|spec| spec.required_claims = Some(vec![String::new()])),
        with(&|spec| spec.allow_private = vec!["169.254.169.254".to_owned()]),
        with(&|spec| spec.allow_private = vec!["not a host".to_owned()]),
        with(&|spec| spec.client_certificate_bundle = Some("c.pem".into())),
        with(&|spec| spec.client_private_key_file = Some("k.pem".into())),
    ];
    let message: Vec<String> = cases.into_iter().map(|spec| refused("p", spec).to_string()).collect();
    insta::assert_snapshot!(message.join("\n"));
}

#[test]
fn an_inline_key_set_must_hold_a_usable_key() {
    for (jwks, problem) in [("{}", "not a key set"), (r#"{"keys":[]}"#, "no usable key"), ("x", "not a key set")] {
        let error = refused("p", ProviderSpec { jwks: Some(jwks.to_owned()), ..spec(&Forge::new()) });
        assert!(error.field == "jwks" && error.problem.contains(problem), "{error}");
    }
}

#[test]
fn two_providers_with_one_issuer_need_different_audiences() {
    let forge = Forge::new();
    let clock = Arc::new(SettableClock::at(START));
    let of = |audience: Option<&str>| ProviderSpec { required_audience: audience.map(str::to_owned), ..spec(&forge) };
    for (one, other, fine) in
        [(Some("a"), Some("b"), true), (Some("a"), Some("a"), false), (Some("a"), None, false), (None, None, false)]
    {
        let providers = vec![Provider::new("one", of(one)).unwrap(), Provider::new("other", of(other)).unwrap()];
        let made = Verifiers::of(providers, clock.clone());
        assert_eq!(made.is_ok(), fine, "{one:?} {other:?}");
        if let Err(error) = made {
            assert!(error.to_string().contains("required_audience"), "{error}");
        }
    }
}

#[tokio::test]
async fn of_two_providers_with_one_issuer_the_audience_decides() {
    let forge = Forge::new();
    let strict = ProviderSpec {
        required_audience: Some("strict".to_owned()),
        required_claims: Some(vec!["approved".to_owned()]),
        ..spec(&forge)
    };
    let (verifiers, _) = verifiers(vec![("lax", spec(&forge)), ("strict", strict)]);
    let verify_one = async |claims| verifiers.verify(&forge.with_claims(claims), &Requirements::default()).await;
    assert_eq!(verify_one(json!({ "aud": AUDIENCE })).await.unwrap().provider_name(), "lax");
    assert_eq!(verify_one(json!({ "aud": "strict", "approved": "yes" })).await.unwrap().provider_name(), "strict");
    let refusal = verify_one(json!({ "aud": "strict" })).await.unwrap_err();
    assert_eq!(refusal.reason(), "required_claim", "the refusal that came furthest is reported");
}

#[tokio::test]
async fn a_token_of_another_issuer_is_verified_with_no_key() {
    let forge = Forge::new();
    let (verifiers, _) = verifiers(vec![("forge", spec(&forge))]);
    for issuer in ["https://issuer.example/", "https://ISSUER.example", "https://issuer.example.evil", "", "x"] {
        let refusal = verifiers.verify(&forge.with_claims(json!({ "iss": issuer })), &Requirements::default()).await;
        assert_eq!(refusal.unwrap_err().reason(), "unknown_issuer", "{issuer}");
    }
}
