//! `keys`.

use std::os::unix::fs::PermissionsExt;

use super::Folder;

#[test]
fn a_list_creates_no_keys() {
    let folder = Folder::new();
    let run = folder.run(&["keys", "list"]);
    assert!(run.stderr.contains("no keys yet"), "{}", run.stderr);
    assert_eq!(run.done(), "");
    assert_eq!(folder.run(&["keys", "export"]).json(), serde_json::json!({"keys": []}));
    assert!(folder.files().is_empty());
    folder.run(&["clients", "create", "ci"]).done();
    assert!(folder.run(&["keys", "list", "--json"]).json_lines().is_empty());
    assert!(!folder.path().join("keys").exists());
}

#[test]
fn both_algorithms_have_an_active_and_an_announced_key() {
    let folder = Folder::installed();
    let rows = folder.run(&["keys", "list", "--json"]).json_lines();
    let mut states: Vec<String> =
        rows.iter().map(|row| format!("{} {}", row["alg"].as_str().unwrap(), row["state"].as_str().unwrap())).collect();
    states.sort();
    assert_eq!(states, ["ES256 announced", "ES256 signing", "RS256 announced", "RS256 signing"]);
    let mut members: Vec<&str> = rows[0].as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    let expected = ["alg", "announced_at", "forget_at", "kid", "revoked_at", "signs_from", "signs_until", "state"];
    assert_eq!(members, expected);
    assert_eq!(folder.run(&["keys", "list"]).done().lines().count(), 5);
}

#[test]
fn two_starts_in_a_row_publish_the_same_keys() {
    let folder = Folder::installed();
    let documents: Vec<serde_json::Value> = (0..2)
        .map(|_| {
            let served = folder.serve(&[]);
            serde_json::from_str(&served.fetch("/.well-known/jwks")).unwrap()
        })
        .collect();
    assert_eq!(documents[0], documents[1]);
    assert_eq!(documents[0]["keys"].as_array().unwrap().len(), 4);
    assert_eq!(folder.run(&["keys", "export"]).json(), documents[0]);
}

#[test]
fn a_new_key_encryption_key_is_private_and_replaces_no_file() {
    let folder = Folder::new();
    let run = folder.run(&["keys", "new-kek", "deep/master.key"]);
    assert_eq!(run.code, 0, "{run:?}");
    let file = folder.path().join("deep/master.key");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let key = std::fs::read_to_string(&file).unwrap();
    assert!(!run.stdout.contains(key.trim()) && !run.stderr.contains(key.trim()));
    folder.run(&["keys", "new-kek", "deep/master.key"]).failed(3);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), key);
}

#[test]
fn keys_cannot_be_listed_without_their_key_encryption_key() {
    let folder = Folder::installed();
    std::fs::remove_file(folder.path().join("keys/master.key")).unwrap();
    folder.run(&["keys", "export"]).failed(3);
    assert!(!folder.path().join("keys/master.key").exists());
}
