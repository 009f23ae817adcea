//! Tests of the claims of a whole token under each preset, as verifiers see the token.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::claims::{Image, Preset};

fn build() -> Build {
    let json = json!({
        "org": "acme", "org_id": "42", "repo": "app", "repo_id": "1001", "number": 17, "attempt": 2,
        "event": "deployment", "event_action": "created", "author": "octocat", "author_id": "7", "actor": "hubot",
        "actor_id": "8", "ref": "refs/heads/main", "sha": "0".repeat(40), "base_ref": "main", "head_ref": null,
        "fork": false, "trusted": true, "ref_protected": true, "environment": "production", "visibility": "private",
        "workflow": ".vela.yml", "workflow_ref": "acme/app/.vela.yml@refs/heads/main", "workflow_sha": "1".repeat(40),
        "job_workflow_ref": null, "job_workflow_sha": null, "runner_id": "w-3", "runner_environment": "self-hosted",
        "properties": {"team": "payments"},
    });
    serde_json::from_value(json).unwrap()
}

fn claims(presets: &[Preset]) -> Value {
    let build = build();
    let step = BuildStep {
        step: "deploy".to_owned(),
        image: Some(Image::try_from("reg.io:5000/org/app:1.2".to_owned()).unwrap()),
        request: Some("deploy".to_owned()),
        commands: Some(true),
        environment: None,
    };
    let extra = BTreeMap::from([
        ("team".to_owned(), "{properties.team}".to_owned()),
        ("absent".to_owned(), "{properties.nothing}".to_owned()),
    ]);
    let token = IdToken {
        issuer: "https://ci.example.com",
        subject: "repo:acme@42/app@1001:environment:production".to_owned(),
        audiences: &Audiences::new(vec!["a".to_owned(), "a".to_owned()]).unwrap(),
        window: Window::new(Moment::from_unix(1_000_000_000), Seconds::new(300)),
        jti: Some("0199aaaa-0000-7000-8000-000000000001".parse().unwrap()),
        build_id: "0199aaaa-0000-7000-8000-000000000002".parse().unwrap(),
        build: &build,
        step: Some(&step),
        presets: &Presets::try_from(presets.to_vec()).unwrap(),
        extra: &ExtraClaims::compile(&extra).unwrap(),
    };
    let text = serde_json::to_string(&token).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    let names = value.as_object().unwrap().len();
    assert_eq!(text.matches("\":").count() - 1, names, "no name appears twice: {text}");
    value
}

#[test]
fn a_token_of_the_preset_vela_is_as_the_manual_says() {
    insta::assert_json_snapshot!(claims(&[Preset::Vela]));
}

#[test]
fn a_token_of_the_preset_github_has_githubs_names() {
    insta::assert_json_snapshot!(claims(&[Preset::GitHub]));
}

#[test]
fn both_presets_show_both_names_and_no_name_twice() {
    let both = claims(&[Preset::Vela, Preset::GitHub]);
    for preset in [Preset::Vela, Preset::GitHub] {
        for (name, value) in claims(&[preset]).as_object().unwrap() {
            assert_eq!(both.get(name), Some(value), "{name}");
        }
    }
}

#[test]
fn every_claim_is_listed_in_discovery() {
    let presets = Presets::try_from(vec![Preset::Vela, Preset::GitHub]).unwrap();
    let listed = claims_supported(&presets, &ExtraClaims::default());
    for name in claims(&[Preset::Vela, Preset::GitHub]).as_object().unwrap().keys().filter(|name| *name != "team") {
        assert!(listed.contains(name), "{name}");
    }
}

#[test]
fn an_extra_claim_cannot_set_a_claim_that_verifiers_read_as_authority() {
    for name in
        ["sub", "email", "Groups", "scope", "repo", "repository", "https://aws.amazon.com/tags", "namespace_id", ""]
    {
        assert!(ExtraClaims::compile(&BTreeMap::from([(name.to_owned(), "x".to_owned())])).is_err(), "{name}");
    }
}

#[test]
fn the_largest_claims_are_named_first() {
    let payload = json!({"a": "x", "b": "x".repeat(100), "c": "x".repeat(50), "d": "x".repeat(10)}).to_string();
    let names: Vec<_> = largest_claims(payload.as_bytes()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["b", "c", "d"]);
}

#[test]
fn a_fresh_token_is_valid_for_a_verifier_with_a_slow_clock() {
    let now = Moment::from_unix(1_000_000_000);
    let window = Window::new(now, Seconds::new(300));
    assert_eq!(window, Window::until(now, now + Seconds::new(300)));
    assert_eq!((window.iat, window.exp), (now, now + Seconds::new(300)));
    assert_eq!(window.nbf, now - BACKDATED);
    assert_eq!(BACKDATED, Seconds::new(5), "documented in the manual, tokens.md");
}
