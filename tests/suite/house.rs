//! Checks the source against CONTRIBUTING: floors, owners of crates, sizes, first lines, import circles, and the tables
//! that name places.

mod circles;
mod floors;
mod imports;
mod places;
mod source;
mod tokens;
mod voice;

use std::fs;
use std::path::{Path, PathBuf};

use self::imports::Tree;

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

/// Most lines of a file.
const LONGEST: usize = 500;

/// Lines from which on a file is named in `LONG`.
const LONG_FROM: usize = 300;

/// Every file over 300 lines. The list only becomes shorter: a file that grows to 300 lines is cut by subject, and a file
/// that became shorter leaves the list.
const LONG: &[&str] = &[
    "benches/exchange.rs",
    "src/claims/subject_tests.rs",
    "src/cli/clients.rs",
    "src/http/dialects/forward_auth.rs",
    "src/http/socket.rs",
    "src/policy/statements.rs",
    "src/store/redemptions.rs",
    "src/store/sql/keys.rs",
    "src/store/sql/rules.rs",
    "src/store/sql/writer.rs",
    "src/verifier/provider.rs",
    "src/verifier/verifier.rs",
    "tests/suite/attacks/flows.rs",
    "tests/suite/attacks/forged.rs",
    "tests/suite/cli/exchange.rs",
    "tests/suite/harness/mod.rs",
    "tests/suite/http/bodies.rs",
    "tests/suite/keyring/world.rs",
    "tests/suite/policy/criteria.rs",
    "tests/suite/policy/issuance.rs",
    "tests/suite/routes/rubygems.rs",
    "tests/suite/routes/token_exchange.rs",
    "tests/suite/store/durability.rs",
];

/// Faults in the length of a file, with its path below the repository.
fn length_fault(path: &str, lines: usize) -> Option<String> {
    match (lines > LONG_FROM, LONG.contains(&path)) {
        _ if lines > LONGEST => Some(format!("{path}:{lines}: at most {LONGEST} lines")),
        (true, false) => {
            Some(format!("{path}:{lines}: over {LONG_FROM} lines, which only the files of `LONG` may have"))
        }
        (false, true) => Some(format!("{path}:{lines}: at most {LONG_FROM} lines: remove the file from `LONG`")),
        _ => None,
    }
}

/// Faults in the first line of a file and in the words that it mentions, with its path below `src`.
fn faults(path: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if !text.starts_with("//! ") && !text.starts_with("//!\n") {
        faults.push(format!("src/{path}:1: does not begin with //!"));
    }
    for (word, owners) in OWNERS {
        let is_code = |line: &&str| !line.trim_start().starts_with("//");
        let mentions = |(_, line): &(usize, &str)| is_code(line) && line.contains(word);
        if !owners.iter().any(|owner| path.starts_with(owner))
            && let Some((number, _)) = text.lines().enumerate().find(mentions)
        {
            faults.push(format!("src/{path}:{}: mentions {word}, which is for {}", number + 1, owners.join(", ")));
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

/// Returns every file of `src` by its path below `src`, with its text.
fn source() -> Tree {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&source, &mut found);
    assert!(found.len() > 100, "the source is there");
    let path = |file: &PathBuf| file.strip_prefix(&source).unwrap().to_str().unwrap().to_owned();
    found.iter().map(|file| (path(file), fs::read_to_string(file).unwrap())).collect()
}

#[test]
fn the_source_keeps_the_rules_of_the_house() {
    let all: Vec<_> = source().iter().flat_map(|(path, text)| faults(path, text)).collect();
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn every_import_leads_to_a_floor_below() {
    let imports = imports::imports(&source());
    let named = imports.values().map(Vec::len).sum::<usize>();
    assert!(named > 3000, "the imports were read: {named}");
    let faults = floors::faults(&imports);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn there_are_no_import_circles_among_files() {
    let graph = circles::graph(&imports::imports(&source()));
    let circles = circles::circles(&graph);
    let described: Vec<_> = circles.iter().map(|circle| circles::describe(circle, &graph)).collect();
    assert!(described.is_empty(), "these files import each other:\n{}", described.join("\n"));
}

#[test]
fn files_are_short_and_begin_with_their_purpose() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut found, mut faults) = (Vec::new(), Vec::new());
    for folder in ["src", "tests", "benches", "fuzz/fuzz_targets", "examples"] {
        files(&root.join(folder), &mut found);
    }
    for file in &found {
        let text = fs::read_to_string(file).unwrap();
        let path = file.strip_prefix(root).unwrap().to_str().unwrap();
        faults.extend(length_fault(path, text.lines().count()));
        if !text.starts_with("//!") {
            faults.push(format!("{path}:1: does not begin with //!"));
        }
    }
    faults.extend(LONG.iter().filter(|path| !root.join(path).exists()).map(|path| format!("{path}: is no file")));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_place_that_contributing_and_readme_name_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let contributing = fs::read_to_string(root.join("CONTRIBUTING.md")).unwrap();
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let answers = places::answers(&contributing);
    assert!(answers.len() > 80, "the table of CONTRIBUTING was read");
    let changes = places::changes(&readme);
    assert!(changes.len() > 25, "the table of README was read");
    let mut faults: Vec<_> = answers.iter().filter_map(|answer| answer.fault(root)).collect();
    faults.extend(changes.iter().flat_map(|change| change.faults(root)));
    let named =
        |word: &&str| ["src/", "migrations/", "examples/", "tests/", "fuzz/"].iter().any(|at| word.starts_with(at));
    let missing =
        contributing.split('`').chain(readme.split('`')).filter(named).filter(|path| !root.join(path).exists());
    faults.extend(missing.map(|path| format!("{path} is named, but does not exist")));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
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
    for (line, path, text) in [
        (2, "http/x.rs", "//! P.\nuse sqlx::Row;\n"),
        (3, "issuer/x.rs", "//! P.\n\nuse axum::http::StatusCode;\n"),
        (2, "keyring/x.rs", "//! P.\nlet now = SystemTime::now();\n"),
        (1, "claims/x.rs", "use crate::base::Moment;\n"),
    ] {
        let found = faults(path, text);
        assert_eq!(found.len(), 1, "{path} {text}");
        assert!(found[0].starts_with(&format!("src/{path}:{line}: ")), "{found:?}");
    }
    for (path, lines, is_fault) in [
        ("src/claims/x.rs", 300, false),
        ("src/claims/x.rs", 301, true),
        (LONG[0], 300, true),
        (LONG[0], 301, false),
        (LONG[0], 500, false),
        (LONG[0], 501, true),
    ] {
        assert_eq!(length_fault(path, lines).is_some(), is_fault, "{path} of {lines} lines");
    }
}
