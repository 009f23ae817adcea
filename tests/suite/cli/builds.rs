//! `builds`, against a real server.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::{Folder, registration};

#[test]
fn a_worker_runs_a_whole_build_in_a_shell() {
    let mut folder = Folder::installed();
    let _served = folder.serve_for_a_ci();
    std::fs::write(folder.path().join("build.json"), registration().to_string()).unwrap();
    let script = r#"set -e
        eval "$(buildpass builds register --format env build.json)"
        env -i PATH="$PATH" BUILDPASS_ID_TOKEN_REQUEST_URL="$BUILDPASS_ID_TOKEN_REQUEST_URL" \
            BUILDPASS_ID_TOKEN_REQUEST_TOKEN="$BUILDPASS_ID_TOKEN_REQUEST_TOKEN" \
            buildpass token request --audience x --quiet | buildpass token inspect - 2>/dev/null
        buildpass builds finish "$BUILDPASS_BUILD_ID" --status failure
        buildpass builds show "$BUILDPASS_BUILD_ID"
        buildpass token request --audience x"#;
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_buildpass"));
    let path = format!("{}:/usr/bin:/bin", binary.parent().unwrap().display());
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(script).current_dir(folder.path()).env_clear().envs(&folder.variables).env("PATH", path);
    let output = shell.output().unwrap();
    let (printed, troubles) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(printed.contains(r#""sub": "repo:acme@42/app@1001:ref:refs/heads/main""#), "{printed} {troubles}");
    assert!(printed.contains("state           finished"), "{printed}");
    assert!(printed.contains("status          failure"), "{printed}");
    assert!(troubles.contains("401"), "{troubles}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_response_to_a_registration_is_printed_whole() {
    let mut folder = Folder::installed();
    let _served = folder.serve_for_a_ci();
    let answer = folder.run_with(&["builds", "register", "-"], &registration().to_string()).json();
    assert_eq!(answer["subject"], "repo:acme@42/app@1001:ref:refs/heads/main");
    assert!(answer["env"]["ACTIONS_ID_TOKEN_REQUEST_URL"].as_str().unwrap().ends_with("?v=1"));
    let id = answer["id"].as_str().unwrap();
    let shown = folder.run(&["builds", "show", id, "--json"]).json();
    assert_eq!((&shown["state"], &shown["tokens_issued"]), (&"running".into(), &0.into()));
    let finished = folder.run(&["builds", "finish", id, "--json"]).json();
    assert_eq!(finished, serde_json::json!({"id": id, "status": "success"}));
}

#[test]
fn a_refusal_is_printed_with_the_text_of_the_server() {
    let mut folder = Folder::installed();
    let _served = folder.serve_for_a_ci();
    let mut foreign = registration();
    foreign["org"] = "evil".into();
    assert!(folder.run_with(&["builds", "register", "-"], &foreign.to_string()).failed(1).contains("403"));
    let text = folder.run_with(&["builds", "register", "-"], r#"{"org":"acme","surprise":1}"#).failed(1);
    assert!(text.contains("400") && text.contains("surprise"), "{text}");
}

#[test]
fn a_secret_can_be_read_from_a_file() {
    let mut folder = Folder::installed();
    let _served = folder.serve_for_a_ci();
    let secret = folder.variables.remove("BUILDPASS_CLIENT_SECRET").unwrap();
    let input = registration().to_string();
    assert!(folder.run_with(&["builds", "register", "-"], &input).failed(2).contains("BUILDPASS_CLIENT_SECRET"));
    std::fs::write(folder.path().join("secret"), format!("{secret}\n")).unwrap();
    folder.set("BUILDPASS_CLIENT_SECRET_FILE", "secret");
    folder.run_with(&["builds", "register", "-"], &input).done();
    folder.set("BUILDPASS_CLIENT_SECRET_FILE", "nowhere");
    assert!(folder.run_with(&["builds", "register", "-"], &input).failed(3).contains("nowhere"));
    folder.set("BUILDPASS_CLIENT_SECRET_FILE", "-");
    assert!(folder.run_with(&["builds", "register", "-"], &input).failed(2).contains("standard input"));
    std::fs::write(folder.path().join("build.json"), &input).unwrap();
    let again = folder.run_with(&["builds", "register", "build.json"], &secret);
    assert_eq!(again.code, 0, "{again:?}");
}

#[test]
fn missing_variables_are_named() {
    let mut folder = Folder::new();
    let register =
        |folder: &Folder| folder.run(&["builds", "finish", "0199e4d2-7c11-7b7e-8a3b-5b1f3a2c9d10"]).failed(2);
    assert!(register(&folder).contains("BUILDPASS_URL"));
    folder.set("BUILDPASS_URL", "");
    assert!(register(&folder).contains("BUILDPASS_URL"));
    folder.set("BUILDPASS_URL", "ftp://example.com");
    assert!(register(&folder).contains("BUILDPASS_URL"));
    folder.set("BUILDPASS_URL", "http://127.0.0.1:1");
    assert!(register(&folder).contains("BUILDPASS_CLIENT_ID"));
}

#[test]
fn no_configuration_is_read() {
    let mut folder = Folder::installed();
    let _served = folder.serve_for_a_ci();
    std::fs::write(folder.path().join("buildpass.toml"), "this is [no toml").unwrap();
    std::fs::set_permissions(folder.path().join("buildpass.toml"), std::fs::Permissions::from_mode(0o000)).unwrap();
    folder.run_with(&["builds", "register", "-"], &registration().to_string()).done();
}
