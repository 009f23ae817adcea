//! `clients`.

use super::Folder;

fn members(value: &serde_json::Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_secret_is_printed_once_and_kept_as_a_digest() {
    let folder = Folder::new();
    let run = folder.run(&["clients", "create", "ci", "--json"]);
    assert!(run.stderr.contains("every organisation"), "{}", run.stderr);
    let client = run.json();
    assert_eq!(members(&client), ["client_id", "client_secret", "name", "scopes"]);
    assert_eq!(client["scopes"], serde_json::json!(["builds:write", "builds:tokens"]));
    let secret = client["client_secret"].as_str().unwrap();
    assert!(secret.starts_with("bpc_") && secret.len() == 47, "{secret}");
    for (path, bytes) in folder.files() {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{}", path.display());
    }
    let listed = folder.run(&["clients", "list"]).done();
    assert!(listed.contains("ci") && !listed.contains("bpc_"), "{listed}");
}

#[test]
fn a_name_that_exists_is_refused() {
    let folder = Folder::new();
    folder.run(&["clients", "create", "ci"]).done();
    assert!(folder.run(&["clients", "create", "ci"]).failed(1).contains("exists"));
}

#[test]
fn limits_of_a_client_are_kept_and_listed() {
    let folder = Folder::new();
    let run = folder.run(&[
        "clients",
        "create",
        "ci",
        "--scope",
        "builds:write,tokens:introspect",
        "--org",
        "acme",
        "--org",
        "tools/*",
        "--audience",
        "https://*.example.com",
        "--ids",
        "gitea",
    ]);
    assert!(!run.stderr.contains("every organisation"), "{}", run.stderr);
    run.done();
    let rows = folder.run(&["clients", "list", "--json"]).json_lines();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["scopes"], serde_json::json!(["builds:write", "tokens:introspect"]));
    assert_eq!(rows[0]["organizations"], serde_json::json!(["acme", "tools/*"]));
    assert_eq!(rows[0]["audiences"], serde_json::json!(["https://*.example.com"]));
    assert_eq!(rows[0]["ids"], "gitea");
}

#[test]
fn a_list_creates_no_database() {
    let folder = Folder::new();
    assert!(folder.run(&["clients", "list", "--json"]).json_lines().is_empty());
    assert!(folder.files().is_empty());
    assert!(folder.run(&["clients", "disable", "ci"]).failed(3).contains("no database"));
    assert!(folder.files().is_empty());
}

#[test]
fn a_change_applies_to_the_next_request() {
    let mut folder = Folder::installed();
    let _served = folder.serve_for_a_ci();
    let register = |folder: &Folder, number: u64| {
        let mut build = super::registration();
        build["number"] = number.into();
        folder.run_with(&["builds", "register", "-"], &build.to_string())
    };
    register(&folder, 1).done();

    let fresh = folder.run(&["clients", "rotate-secret", "ci", "--json"]).json();
    register(&folder, 2).done();
    folder.set("BUILDPASS_CLIENT_SECRET", fresh["client_secret"].as_str().unwrap());
    register(&folder, 3).done();

    let last = folder.run(&["clients", "rotate-secret", "ci", "--now", "--json"]).json();
    assert!(last["previous_until"].is_null());
    assert!(register(&folder, 4).failed(1).contains("401"));
    folder.set("BUILDPASS_CLIENT_SECRET", last["client_secret"].as_str().unwrap());
    register(&folder, 5).done();

    let disabled = folder.run(&["clients", "disable", "ci", "--json"]).json();
    assert_eq!(disabled["builds_ended"], 4);
    assert!(register(&folder, 6).failed(1).contains("401"));
    assert!(folder.run(&["clients", "rotate-secret", "ci"]).failed(1).contains("disabled"));
}

#[test]
fn an_unknown_client_is_refused() {
    let folder = Folder::installed();
    assert!(folder.run(&["clients", "disable", "nobody"]).failed(1).contains("no client named nobody"));
    assert!(folder.run(&["clients", "rotate-secret", "nobody"]).failed(1).contains("no client named nobody"));
}

#[test]
fn a_client_without_a_secret_requires_a_known_provider() {
    let folder = Folder::installed();
    let config = "[oidc.k8s]\nprovider = \"kubernetes\"\nissuer = \"https://kubernetes.default.svc\"\n";
    std::fs::write(folder.path().join("buildpass.toml"), config).unwrap();
    let create = |more: &[&str]| folder.run(&[&["clients", "create"], more].concat());
    let subject = "system:serviceaccount:ci:vela";
    let made = create(&["vela", "--provider", "k8s", "--subject", subject, "--json"]).json();
    assert_eq!(made["identity"]["subject"], subject);
    assert!(made.get("client_secret").is_none(), "{made}");
    let twin = create(&["twin", "--provider", "k8s", "--subject", subject]).failed(1);
    assert!(twin.contains("provider and subject"), "{twin}");
    assert!(create(&["x", "--provider", "gitlab", "--subject", "s"]).failed(2).contains("known providers: k8s"));
    assert!(create(&["x", "--provider", "self", "--subject", "s"]).failed(2).contains("no provider"));
    assert!(create(&["x", "--provider", "k8s"]).failed(2).contains("--subject"));
    let admin = create(&["x", "--provider", "k8s", "--subject", "s", "--scope", "admin"]).failed(2);
    assert!(admin.contains("admin"), "{admin}");
    let rotated = folder.run(&["clients", "rotate-secret", "vela"]).failed(1);
    assert!(rotated.contains("has no secret"), "{rotated}");
    let listed = folder.run(&["clients", "list", "--json"]).json_lines();
    assert_eq!(listed[0]["identity"]["provider"], "k8s");
}
