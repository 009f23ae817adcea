//! Tests of registrations: which values are rejected, and which values are computed.

use std::fmt::Write;

use serde_json::{Value, json};

use super::*;

fn good() -> Value {
    json!({
        "org": "acme", "org_id": "42", "repo": "app", "repo_id": "1001", "number": 17, "event": "push",
        "author": "octocat", "ref": "refs/heads/main", "sha": "0".repeat(40),
    })
}

fn check(body: Value) -> Result<CheckedRegistration, RegistrationError> {
    let rules = RegistrationRules { ids: None, subject: &SubjectFormat::Immutable, max_build: Seconds::new(86_400) };
    serde_json::from_value::<Registration>(body).unwrap().check(&rules)
}

fn with(field: &str, value: Value) -> Value {
    let mut body = good();
    body[field] = value;
    body
}

#[test]
fn an_invalid_value_is_rejected_by_the_name_of_its_field() {
    let long = "x".repeat(2_000);
    for (field, value) in [
        ("org", json!("")),
        ("org", json!("a/../b")),
        ("org", json!("a\nb")),
        ("repo", json!("a/b")),
        ("repo", json!("..")),
        ("ref", json!("main")),
        ("ref", json!("refs/heads/a..b")),
        ("sha", json!("abc")),
        ("sha", json!("g".repeat(40))),
        ("org_id", json!("a\u{202e}b")),
        ("repo_id", json!("x".repeat(256))),
        ("number", json!(u64::MAX)),
        ("attempt", json!(0)),
        ("event_action", json!("a:b")),
        ("author", json!("a\u{0}")),
        ("actor", json!(long)),
        ("workflow_ref", json!("https://u:p@forge/x")),
        ("workflow_sha", json!("x")),
        ("environment", json!("a\r")),
        ("timeout", json!("0s")),
        ("timeout", json!("25h")),
        ("timeout", json!("soon")),
        ("key", json!("a\nb")),
    ] {
        match check(with(field, value.clone())) {
            Err(RegistrationError::Field(error)) => assert_eq!(error.field, field, "{value}"),
            other => panic!("{field} {value}: {other:?}"),
        }
    }
    let nested = check(with("runner", json!({"id": "a\nb"}))).unwrap_err();
    assert!(matches!(nested, RegistrationError::Field(error) if error.field == "runner.id"));
    let pattern = check(with("audiences", json!(["good", ""]))).unwrap_err();
    assert!(matches!(pattern, RegistrationError::Field(error) if error.field == "audiences[1]"));
    let properties: BTreeMap<String, String> = (0..65).map(|n| (n.to_string(), "x".to_owned())).collect();
    assert!(check(with("properties", json!(properties))).is_err());
}

#[test]
fn a_format_that_requires_an_id_rejects_a_registration_without_one() {
    assert_eq!(check(with("repo_id", Value::Null)).unwrap_err(), RegistrationError::IdsRequired);
    assert_eq!(check(with("repo_id", json!(""))).unwrap_err(), RegistrationError::IdsRequired);
}

#[test]
fn two_forges_share_no_id() {
    let mut body = with("head_repo_id", json!("1001"));
    body["actor_id"] = json!("7");
    let rules =
        RegistrationRules { ids: Some("gitea"), subject: &SubjectFormat::Immutable, max_build: Seconds::new(9_000) };
    let build = serde_json::from_value::<Registration>(body).unwrap().check(&rules).unwrap().build;
    assert_eq!((build.org_id.as_deref(), build.repo_id.as_deref()), (Some("gitea.42"), Some("gitea.1001")));
    assert_eq!(build.actor_id.as_deref(), Some("7"));
    assert!(build.trusted);
}

#[test]
fn a_pull_requests_environment_and_protection_are_left_out() {
    for (git_ref, event, trusted) in
        [("refs/pull/7/head", "pull_request", json!(true)), ("refs/heads/main", "push", json!(false))]
    {
        let mut body = good();
        for (field, value) in [
            ("ref", json!(git_ref)),
            ("event", json!(event)),
            ("trusted", trusted),
            ("fork", json!(false)),
            ("head_repo_id", json!("1001")),
            ("environment", json!("production")),
            ("ref_protected", json!(true)),
        ] {
            body[field] = value;
        }
        let build = check(body).unwrap().build;
        assert_eq!((build.environment, build.ref_protected), (None, None), "{event}");
    }
}

/// Tries every combination of event, ref, fork, `head_repo_id` and the registration's `trusted`.
#[test]
fn trust_is_computed_and_never_copied_from_the_registration() {
    let mut table =
        String::from("event, ref, fork, head_repo_id, trusted as declared: the combinations that are trusted\n");
    for event in Event::ALL {
        for git_ref in ["refs/heads/main", "refs/tags/v1", "refs/pull/7/head"] {
            for fork in [Value::Null, json!(false), json!(true)] {
                for head in [Value::Null, json!("1001"), json!("666")] {
                    for declared in [Value::Null, json!(false), json!(true)] {
                        let mut body = good();
                        let fields = [("fork", &fork), ("head_repo_id", &head), ("trusted", &declared)];
                        body["event"] = json!(event);
                        body["ref"] = json!(git_ref);
                        for (field, value) in fields {
                            body[field] = value.clone();
                        }
                        if check(body).unwrap().build.trusted {
                            writeln!(table, "{event}, {git_ref}, {fork}, {head}, {declared}").unwrap();
                        }
                    }
                }
            }
        }
    }
    insta::assert_snapshot!(table);
}
