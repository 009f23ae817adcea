//! `token`, as a job runs it.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;

use super::{Folder, become_a_job};

/// The claims of a token, by `token inspect`.
fn claims(folder: &Folder, token: &str) -> Value {
    let run = folder.run_with(&["token", "inspect", "-"], token);
    assert!(run.stderr.contains("Not verified"), "{}", run.stderr);
    run.json()["claims"].take()
}

#[test]
fn a_job_needs_only_its_variables_to_get_a_token() {
    let mut folder = Folder::installed();
    let served = folder.serve_for_a_ci();
    become_a_job(&mut folder);
    let run = folder.run(&["token", "request", "--audience", "a b+c", "--lifetime", "1m", "--algorithm", "ES256"]);
    for part in [&served.url, "repo:acme@42/app@1001:ref:refs/heads/main", "a b+c", "default"] {
        assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
    }
    let token = run.done();
    assert!(token.ends_with('\n') && token.lines().count() == 1);
    let claims = claims(&folder, &token);
    assert_eq!((&claims["aud"], &claims["iss"]), (&"a b+c".into(), &served.url.as_str().into()));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 60);
    let several = folder.run(&["token", "request", "--audience", "a", "--audience", "b", "--quiet"]);
    assert_eq!(several.stderr, "");
    assert_eq!(self::claims(&folder, &several.stdout)["aud"], serde_json::json!(["a", "b"]));
}

#[test]
fn token_request_ignores_the_configuration_of_a_checkout() {
    let mut folder = Folder::installed();
    let served = folder.serve_for_a_ci();
    become_a_job(&mut folder);
    let checkout = Folder::new();
    let hostile = "[issuer]\nurl = \"https://evil.example.com\"\n[server]\npublic_url = \"https://evil.example.com\"\n";
    for name in ["buildpass.toml", ".env", ".netrc", ".curlrc"] {
        std::fs::write(checkout.path().join(name), hostile).unwrap();
    }
    let before = checkout.files();
    for configuration in [None, Some("buildpass.toml"), Some("/nowhere/buildpass.toml")] {
        let mut command = folder.command(&["token", "request", "--audience", "x", "--quiet"]);
        command.current_dir(checkout.path());
        if let Some(file) = configuration {
            command.env("BUILDPASS_CONFIG", file);
        }
        command.env("BUILDPASS_ISSUER__URL", "https://evil.example.com").env("HOME", "/nowhere");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let token = String::from_utf8(output.stdout).unwrap();
        assert_eq!(claims(&folder, &token)["iss"], served.url.as_str());
    }
    assert_eq!(checkout.files(), before);
}

#[test]
fn a_url_is_never_used_with_the_token_of_another_ci() {
    let mut folder = Folder::installed();
    let _served = folder.serve_for_a_ci();
    become_a_job(&mut folder);
    folder.variables.retain(|name, _| name.contains("REQUEST"));
    folder.variables.remove("BUILDPASS_ID_TOKEN_REQUEST_TOKEN");
    folder.set("BUILDPASS_ID_TOKEN_REQUEST_URL", "http://127.0.0.1:1/stale?v=1");
    folder.set("ACTIONS_ID_TOKEN_REQUEST_URL", "");
    // Vela's pair alone is whole.
    folder.run(&["token", "request", "--audience", "x"]).done();
    folder.variables.remove("VELA_ID_TOKEN_REQUEST_URL");
    let text = folder.run(&["token", "request", "--audience", "x"]).failed(2);
    assert!(text.contains("BUILDPASS_ID_TOKEN_REQUEST_URL but not BUILDPASS_ID_TOKEN_REQUEST_TOKEN"), "{text}");
}

#[test]
fn missing_variables_are_named() {
    let text = Folder::new().run(&["token", "request", "--audience", "x"]).failed(2);
    for name in ["BUILDPASS_ID_TOKEN_REQUEST_URL", "BUILDPASS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_", "VELA_"] {
        assert!(text.contains(name), "{text}");
    }
}

#[test]
fn a_token_is_printed_in_the_requested_format() {
    let mut folder = Folder::installed();
    let _served = folder.serve_for_a_ci();
    become_a_job(&mut folder);
    let ask = |more: &[&str]| folder.run(&[&["token", "request", "--audience", "x", "--quiet"], more].concat()).done();
    let answer: Value = serde_json::from_str(&ask(&["--format", "json"])).unwrap();
    assert_eq!(answer["value"], answer["token"]);
    assert_eq!(answer["audience"], "x");
    assert!(serde_json::from_str::<Value>(&ask(&["--json"])).is_ok());
    for (more, name) in
        [(&["--format", "env"][..], "BUILDPASS_ID_TOKEN"), (&["--format", "env", "--name", "JWT"], "JWT")]
    {
        let script = format!("{}printf %s \"${name}\"", ask(more));
        let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap().split('.').count(), 3);
    }
}

#[test]
fn a_token_file_is_replaced_atomically_and_private() {
    let mut folder = Folder::installed();
    let _served = folder.serve_for_a_ci();
    become_a_job(&mut folder);
    let file = folder.path().join("token");
    std::fs::write(&file, "x".repeat(10_000)).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(folder.run(&["token", "request", "--audience", "x", "--output", "token"]).done(), "");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.split('.').count() == 3 && !text.ends_with('\n') && !text.contains('x'.to_string().repeat(99).as_str())
    );
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let message = folder.run(&["token", "request", "--audience", "x", "--output", "nowhere/token"]).failed(3);
    assert!(message.contains("nowhere/token"), "{message}");
    // Nothing half-written stays behind.
    let strays = std::fs::read_dir(folder.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".tmp"));
    assert_eq!(strays.count(), 0);
}

#[test]
fn a_refusal_exits_with_1_and_a_reason() {
    let mut folder = Folder::installed();
    let _served = folder.serve_for_a_ci();
    become_a_job(&mut folder);
    let text = folder.run(&["token", "request", "--audience", "x", "--lifetime", "23h"]).failed(1);
    assert!(text.contains("403"), "{text}");
    folder.set("BUILDPASS_ID_TOKEN_REQUEST_TOKEN", "bpr_wrong");
    let text = folder.run(&["token", "request", "--audience", "x"]).failed(1);
    assert!(text.contains("401") && !text.contains("bpr_wrong"), "{text}");
}

#[test]
fn a_token_can_be_decoded_without_a_server() {
    let folder = Folder::new();
    let token =
        "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiIsImtpZCI6ImsifQ.eyJzdWIiOiJcdTAwMWJbMkpcdTIwMmV4IiwiaWF0IjoxfQ.AAAA";
    for run in
        [folder.run(&["token", "inspect", token]), folder.run_with(&["token", "inspect", "-"], &format!("{token}\n"))]
    {
        assert!(run.stderr.contains("Not verified"));
        assert!(!run.stdout.contains(['\u{1b}', '\u{202e}']));
        let shown = run.json();
        assert_eq!(shown["header"]["alg"], "ES256");
        assert_eq!(shown["claims"]["sub"], "\u{1b}[2J\u{202e}x");
    }
    for odd in ["", "a.b", "a.b.c", "eyJhbGciOiJub25lIn0.e30", "\u{1b}[2J"] {
        let text = folder.run(&["token", "inspect", odd]).failed(1);
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}
