//! `buildpass config apply`: declared clients and algorithms.

use super::Folder;

const SECRET: &str = "bpc_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";

fn declare(folder: &Folder, toml: &str) {
    std::fs::write(folder.path().join("buildpass.toml"), toml).unwrap();
}

#[test]
fn a_declared_client_is_applied_once_and_no_command_changes_it() {
    let folder = Folder::installed();
    let secret = folder.run(&["clients", "new-secret"]).done();
    std::fs::write(folder.path().join("vela"), &secret).unwrap();
    declare(&folder, "[clients.vela]\nsecret_file = \"vela\"\norganizations = [\"acme\", \"tools/*\"]\n");
    assert_eq!(folder.run(&["config", "apply", "--dry-run"]).done(), "clients.vela  added\n");
    assert!(folder.run(&["clients", "list", "--json"]).json_lines().is_empty());
    assert_eq!(folder.run(&["config", "apply"]).done(), "clients.vela  added\n");
    assert_eq!(folder.run(&["config", "apply"]).done(), "nothing changes\n");
    let row = folder.run(&["clients", "list", "--json"]).json_lines().remove(0);
    assert_eq!((row["client_id"].as_str(), row["declared"].as_bool()), (Some("vela"), Some(true)));
    for change in [&["clients", "rotate-secret", "vela"][..], &["clients", "disable", "vela"]] {
        let output = folder.run(change).failed(1);
        assert!(output.contains("declared in [clients.vela]"), "{output}");
    }
    // A second line while the secret is changed, then one again.
    std::fs::write(folder.path().join("vela"), format!("{SECRET}\n{secret}")).unwrap();
    assert_eq!(folder.run(&["config", "apply", "--json"]).json()["clients"][0]["change"], "changed");
    declare(&folder, "");
    let output = folder.run(&["config", "apply"]).done();
    assert_eq!(output, "clients.vela  disabled: no longer declared\n");
}

#[test]
fn with_sqlite_each_start_applies_the_file() {
    let mut folder = Folder::new();
    let toml = format!("[clients.ci]\nsecret = \"{SECRET}\"\n");
    declare(&folder, &toml);
    let served = folder.serve(&[]);
    folder.set("BUILDPASS_URL", &served.url);
    folder.set("BUILDPASS_CLIENT_ID", "ci");
    folder.set("BUILDPASS_CLIENT_SECRET", SECRET);
    let registered = folder.run_with(&["builds", "register", "-"], &super::registration().to_string());
    assert!(registered.json()["id"].is_string());
    assert!(!served.output.contains(SECRET));
}

#[test]
fn an_invalid_declaration_is_refused_with_its_line() {
    for (toml, expected) in [
        ("[clients.ci]\n", "clients.ci: has neither secret_file nor secret"),
        ("[clients.ci]\nsecret = \"short\"\n", "buildpass.toml:2: clients.ci.secret: must hold one secret"),
        ("[clients.ci]\nsecret_file = \"nowhere\"\n", "buildpass.toml:2: clients.ci.secret_file: "),
        ("[clients.ci]\nscopes = [\"everything\"]\n", "buildpass.toml:2: clients.ci.scopes[0]: must be"),
        ("[clients.ci]\nsecrets = \"x\"\n", "clients.ci.secrets: there is no such key"),
        ("[clients.\"a b\"]\nsecret = \"x\"\n", "a name must have at most 100 letters"),
    ] {
        let folder = Folder::new();
        declare(&folder, toml);
        let output = folder.run(&["config", "check"]).failed(1);
        assert!(output.contains(expected), "{toml}: {output}");
    }
    let folder = Folder::new();
    folder.run(&["clients", "create", "ci"]).done();
    declare(&folder, &format!("[clients.ci]\nsecret = \"{SECRET}\"\n"));
    let output = folder.run(&["config", "apply"]).failed(1);
    assert!(output.contains("client ci was created by command"), "{output}");
}
