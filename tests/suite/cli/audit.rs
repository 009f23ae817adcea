//! `audit`, beside the server that writes the records.

use super::{Folder, become_a_job};

const MEMBERS: [&str; 17] = [
    "jti",
    "issued_at",
    "expires_at",
    "build_id",
    "client_id",
    "request_token_id",
    "rule",
    "org",
    "repo",
    "number",
    "step",
    "subject",
    "audiences",
    "alg",
    "kid",
    "token_sha256",
    "peer",
];

#[test]
fn every_issued_token_has_a_record() {
    let mut folder = Folder::installed();
    let _served = folder.serve_for_a_ci();
    let build = become_a_job(&mut folder);
    let mut digests = Vec::new();
    for audience in ["a", "b", "c"] {
        let token = folder.run(&["token", "request", "--audience", audience, "--quiet"]).done();
        digests.push(buildpass::base::Sha256::of(token.trim_end().as_bytes()).to_string());
    }
    let rows = folder.run(&["audit", "list", "--json"]).json_lines();
    let recorded: Vec<&str> = rows.iter().map(|row| row["token_sha256"].as_str().unwrap()).collect();
    assert_eq!(
        {
            let mut sorted = recorded.clone();
            sorted.sort_unstable();
            sorted
        },
        {
            digests.sort();
            digests
        }
    );
    for row in &rows {
        let mut members: Vec<&str> = row.as_object().unwrap().keys().map(String::as_str).collect();
        let mut expected = MEMBERS.to_vec();
        members.sort_unstable();
        expected.sort_unstable();
        assert_eq!(members, expected);
        assert_eq!(row["build_id"], build["id"]);
    }
    let row = &rows[0];
    let shown = folder.run(&["audit", "show", row["jti"].as_str().unwrap(), "--json"]).json();
    assert_eq!((&shown["claims"]["jti"], &shown["claims"]["aud"]), (&row["jti"], &row["audiences"][0]));
    let table = folder.run(&["audit", "show", row["jti"].as_str().unwrap()]).done();
    assert!(table.contains("token_sha256") && table.contains(r#""iss": "#), "{table}");
}

#[test]
fn records_are_filtered_by_build_subject_and_time() {
    let mut folder = Folder::installed();
    let _served = folder.serve_for_a_ci();
    let build = become_a_job(&mut folder);
    folder.run(&["token", "request", "--audience", "a"]).done();
    let count = |more: &[&str]| folder.run(&[&["audit", "list", "--json"], more].concat()).json_lines().len();
    assert_eq!(count(&["--build", build["id"].as_str().unwrap()]), 1);
    assert_eq!(count(&["--build", "0199e4d2-7c11-7b7e-8a3b-5b1f3a2c9d10"]), 0);
    assert_eq!(count(&["--subject", build["subject"].as_str().unwrap()]), 1);
    assert_eq!(count(&["--subject", "repo:acme"]), 0);
    assert_eq!(count(&["--since", "1h"]), 1);
    assert_eq!(count(&["--since", "2999-01-01T00:00:00Z"]), 0);
}

#[test]
fn the_table_holds_the_latest_fifty_newest_last() {
    let mut folder = Folder::installed();
    let _served = folder.serve_for_a_ci();
    become_a_job(&mut folder);
    for number in 0..53 {
        folder
            .run(&["token", "request", "--quiet", "--algorithm", "ES256", "--audience", &format!("audience-{number}.")])
            .done();
    }
    let table = folder.run(&["audit", "list"]).done();
    assert_eq!(table.lines().count(), 51);
    let rows = folder.run(&["audit", "list", "--json"]).json_lines();
    assert_eq!(rows.len(), 53);
    for (line, row) in table.lines().skip(1).zip(&rows[3..]) {
        assert!(line.contains(row["jti"].as_str().unwrap()), "{line}");
    }
}

#[test]
fn a_missing_record_is_reported() {
    let empty = Folder::new();
    assert_eq!(empty.run(&["audit", "list", "--json"]).done(), "");
    assert!(empty.files().is_empty());
    let text = Folder::installed().run(&["audit", "show", "0199e4d2-7c11-7b7e-8a3b-5b1f3a2c9d10"]).failed(1);
    assert!(text.contains("no token"), "{text}");
}
