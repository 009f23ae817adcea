//! Checks the source against CONTRIBUTING: floors, owners of crates, sizes, first lines, import circles.

mod circles;

use std::fs;
use std::path::{Path, PathBuf};

/// The floors from the ground up. A floor may import only those listed with it.
const FLOORS: [(&str, &[&str]); 15] = [
    ("base", &[]),
    ("telemetry", &["base"]),
    ("jose", &["base"]),
    ("claims", &["base"]),
    ("policy", &["base", "jose", "claims"]),
    ("verifier", &["base", "jose"]),
    ("store", &["base", "jose", "claims", "policy", "verifier", "telemetry"]),
    ("keyring", &["base", "jose", "claims", "policy", "verifier", "store", "telemetry"]),
    ("issuer", &["base", "jose", "claims", "policy", "verifier", "store", "keyring", "telemetry"]),
    ("exchange", &["base", "jose", "claims", "policy", "verifier", "store", "keyring", "telemetry"]),
    // Imports only plain types of the floors that it configures.
    ("config", &["base", "jose", "claims", "policy", "verifier", "store", "keyring", "exchange", "telemetry"]),
    (
        "app",
        &[
            "base",
            "jose",
            "claims",
            "policy",
            "verifier",
            "store",
            "keyring",
            "issuer",
            "exchange",
            "config",
            "telemetry",
        ],
    ),
    (
        "http",
        &["base", "jose", "claims", "policy", "verifier", "store", "keyring", "issuer", "exchange", "app", "telemetry"],
    ),
    (
        "cli",
        &[
            "base",
            "jose",
            "claims",
            "policy",
            "verifier",
            "store",
            "keyring",
            "issuer",
            "exchange",
            "config",
            "app",
            "http",
            "telemetry",
        ],
    ),
    ("manual", &[]),
];

/// Words that only these places may mention.
const OWNERS: &[(&str, &[&str])] = &[
    ("sqlx::", &["store/copy/", "store/migrations.rs", "store/sql/", "store/sqlite/", "store/postgres/"]),
    ("StatusCode", &["http/", "verifier/require_token.rs"]),
    ("aws_lc_rs::aead", &["keyring/seal.rs"]),
    ("aws_lc_rs::signature", &["jose/", "cli/bench/"]),
    ("jsonwebtoken::", &["jose/"]),
    ("constant_time", &["base/secret.rs"]),
    ("use ::cel::", &["policy/cel/"]),
    ("std::env::vars", &["config/source.rs", "cli/"]),
    ("anyhow::", &["cli/", "main.rs"]),
    ("SystemTime", &["base/clock.rs"]),
    ("SysRng", &["base/entropy.rs"]),
    ("println!", &["cli/output.rs"]),
    ("reqwest::", &["verifier/remote/", "cli/"]),
];

/// Faults of one file of `src`, with its path below `src`.
fn faults(path: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let lines = text.lines().count();
    if lines > 500 {
        faults.push(format!("{path}: {lines} lines, at most 500"));
    }
    if !text.starts_with("//! ") && !text.starts_with("//!\n") {
        faults.push(format!("{path}: does not begin with //!"));
    }
    let floor = path.split(['/', '.']).next().unwrap();
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    if let Some((_, below)) = FLOORS.iter().find(|(name, _)| *name == floor) {
        for (number, line) in code.iter().enumerate() {
            for imported in line.match_indices("crate::").map(|(at, found)| &line[at + found.len()..]) {
                let imported: Vec<&str> = match imported.strip_prefix('{') {
                    Some(group) => group.split(',').map(str::trim).collect(),
                    None => vec![imported],
                };
                for name in
                    imported.iter().map(|text| text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap())
                {
                    let is_floor = FLOORS.iter().any(|(other, _)| *other == name);
                    if is_floor && name != floor && !below.contains(&name) {
                        faults.push(format!("{path}: line {number} of its code imports {name}: {floor} may not"));
                    }
                }
            }
        }
    }
    for (word, owners) in OWNERS {
        if !owners.iter().any(|owner| path.starts_with(owner)) && code.iter().any(|line| line.contains(word)) {
            faults.push(format!("{path}: mentions {word}, which is for {}", owners.join(", ")));
        }
    }
    faults
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            files(&entry, found);
        } else if entry.extension().is_some_and(|ending| ending == "rs") {
            found.push(entry);
        }
    }
}

#[test]
fn the_source_keeps_the_rules_of_the_house() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&source, &mut found);
    assert!(found.len() > 100, "the source is there");
    let mut all = Vec::new();
    for file in found {
        let path = file.strip_prefix(&source).unwrap().to_str().unwrap().to_owned();
        all.extend(faults(&path, &fs::read_to_string(&file).unwrap()));
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn there_are_no_import_circles_among_files() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&source, &mut found);
    let text = |file: &PathBuf| {
        let path = file.strip_prefix(&source).unwrap().to_str().unwrap().to_owned();
        (path, fs::read_to_string(file).unwrap())
    };
    let imports = circles::imports(&found.iter().map(text).collect());
    let circles = circles::circles(&imports);
    let described: Vec<_> = circles.iter().map(|circle| circles::describe(circle, &imports)).collect();
    assert!(described.is_empty(), "these files import each other:\n{}", described.join("\n"));
}

#[test]
fn no_test_file_is_over_six_hundred_lines() {
    let mut found = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"), &mut found);
    for file in found {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.lines().count() <= 600, "{}", file.display());
        assert!(text.starts_with("//!"), "{} does not begin with //!", file.display());
    }
}

/// Rows of CONTRIBUTING's table "Where is …": file and item.
fn answers(contributing: &str) -> Vec<(String, String)> {
    let section = contributing.split("## Where is …?").nth(1).unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| … "));
    let cell = |row: &str, at: usize| row.split('|').nth(at).unwrap().trim().trim_matches('`').to_owned();
    rows.map(|row| (cell(row, 2), cell(row, 3))).collect()
}

#[test]
fn every_place_that_contributing_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let contributing = fs::read_to_string(root.join("CONTRIBUTING.md")).unwrap();
    let answers = answers(&contributing);
    assert!(answers.len() > 80, "the table of CONTRIBUTING was read");
    let missing = |(file, item): &(String, String)| match fs::read_to_string(root.join(file)) {
        Ok(text) if text.contains(item) => None,
        Ok(_) => Some(format!("{file} has no {item}")),
        Err(error) => Some(format!("{file}: {error}")),
    };
    let missing: Vec<_> = answers.iter().filter_map(missing).collect();
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let named =
        |word: &&str| ["src/", "migrations/", "examples/", "tests/", "fuzz/"].iter().any(|at| word.starts_with(at));
    for path in contributing.split('`').chain(readme.split('`')).filter(named) {
        assert!(root.join(path).exists(), "{path}");
    }
}

#[test]
fn both_backends_have_migrations_of_the_same_names() {
    let names = |backend: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(backend);
        let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names("sqlite"), names("postgres"));
    assert!(names("sqlite").len() >= 3);
}

#[test]
fn every_broken_rule_is_reported() {
    let good = "//! Purpose.\n\nuse crate::base::Moment;\n";
    assert!(faults("claims/x.rs", good).is_empty());
    for (path, text) in [
        ("claims/x.rs", "//! P.\nuse crate::store::Store;\n"),
        ("base/x.rs", "//! P.\nuse crate::{claims::Build};\n"),
        ("policy/x.rs", "//! P.\nfn f() { crate::http::serve() }\n"),
        ("issuer/x.rs", "//! P.\nuse crate::app::App;\n"),
        ("http/x.rs", "//! P.\nuse sqlx::Row;\n"),
        ("issuer/x.rs", "//! P.\nuse axum::http::StatusCode;\n"),
        ("keyring/x.rs", "//! P.\nlet now = SystemTime::now();\n"),
        ("claims/x.rs", "use crate::base::Moment;\n"),
        ("claims/x.rs", &format!("//! P.\n{}", "\n".repeat(500))),
    ] {
        assert_eq!(faults(path, text).len(), 1, "{path} {text}");
    }
}
