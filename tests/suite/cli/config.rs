//! `config`.

use super::Folder;

#[test]
fn a_fault_is_reported_with_key_file_and_line() {
    let folder = Folder::new();
    folder.run(&["config", "check"]).done();
    std::fs::write(folder.path().join("buildpass.toml"), "[server]\nlisten = \"127.0.0.1:8080\"\nlisten_on = 1\n")
        .unwrap();
    let text = folder.run(&["config", "check"]).failed(1);
    assert!(text.contains("buildpass.toml:3") && text.contains("listen_on"), "{text}");
    let run = folder.run(&["config", "check", "--json"]);
    assert_eq!(run.code, 1);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&run.stdout).unwrap()["ok"], false);
    std::fs::write(folder.path().join("good.toml"), "[server]\nlisten = \"127.0.0.1:0\"\n").unwrap();
    folder.run(&["config", "check", "--config", "good.toml"]).done();
}

#[test]
fn a_configuration_file_that_cannot_be_read_has_one_exit_code() {
    let folder = Folder::new();
    std::fs::write(folder.path().join("latin"), b"# caf\xe9\n").unwrap();
    for file in ["nowhere.toml", ".", "latin"] {
        for words in [
            &["config", "check"][..],
            &["config", "check", "--json"],
            &["config", "show"],
            &["config", "apply"],
            &["serve"],
            &["clients", "list"],
            &["keys", "list"],
            &["exchange", "roles", "list"],
            &["providers", "check"],
            &["store", "migrate"],
            &["verify", "--provider", "p", "a.b.c"],
        ] {
            let text = folder.run(&[words, &["--config", file]].concat()).failed(3);
            assert!(text.contains(&format!("{file}: could not read the file")), "{words:?}: {text}");
        }
        folder.run(&["access-policy", "check", file, "--token", "a.b.c", "--repository", "r"]).failed(3);
    }
}

#[test]
fn an_unknown_section_or_key_lists_the_known_ones_of_its_place() {
    let mut folder = Folder::new();
    std::fs::write(folder.path().join("buildpass.toml"), "[servre]\n[tokens]\nlifetime = \"5m\"\n").unwrap();
    folder.set("BUILDPASS_EXCHANGE__HOST", "x");
    let text = folder.run(&["config", "check"]).failed(1);
    for expected in [
        "servre: there is no such section; the known sections are server, issuer, store, keys,",
        "tokens.lifetime: there is no such key; the known keys are default_lifetime, max_lifetime, max_build,",
        "exchange.host: there is no such key; the known keys are enabled, rubygems_host,",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn the_effective_configuration_is_printed_without_secrets() {
    let mut folder = Folder::new();
    let secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I=";
    let text = format!("[keys]\nkey_encryption_keys = [{{ id = \"k1\", value = \"{secret}\" }}]\n");
    std::fs::write(folder.path().join("buildpass.toml"), text).unwrap();
    folder.set("BUILDPASS_TOKENS__DEFAULT_LIFETIME", "7m");
    let shown = folder.run(&["config", "show"]).done();
    assert!(shown.contains("7m"), "{shown}");
    assert!(!shown.contains(secret), "{shown}");
}

#[test]
fn the_reference_is_a_valid_configuration_of_defaults() {
    let folder = Folder::new();
    let reference = folder.run(&["config", "reference"]).done();
    std::fs::write(folder.path().join("reference.toml"), &reference).unwrap();
    folder.run(&["config", "check", "--config", "reference.toml"]).done();
    for section in ["[server]", "[issuer]", "[store]", "[keys]", "[tokens]", "[limits]", "[issuance]", "[telemetry]"] {
        assert!(reference.contains(section), "{section}");
    }
}
