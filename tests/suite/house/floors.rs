//! The floors of the house: an import leads downwards. Reads no source: `imports` does.

use std::collections::BTreeMap;

use super::imports::Import;

/// The floors from the ground up. A floor may import only those listed with it.
const FLOORS: [(&str, &[&str]); 16] = [
    ("base", &[]),
    ("telemetry", &["base"]),
    ("toml_input", &["base"]),
    ("jose", &["base"]),
    ("claims", &["base"]),
    ("policy", &["base", "jose", "claims"]),
    ("verifier", &["base", "jose"]),
    ("store", &["base", "jose", "claims", "policy", "verifier", "telemetry"]),
    ("keyring", &["base", "jose", "claims", "policy", "verifier", "store", "telemetry"]),
    ("issuer", &["base", "jose", "claims", "policy", "verifier", "store", "keyring", "telemetry"]),
    ("exchange", &["base", "jose", "claims", "policy", "verifier", "store", "keyring", "telemetry", "toml_input"]),
    // Imports only plain types of the floors that it configures.
    (
        "config",
        &["base", "jose", "claims", "policy", "verifier", "store", "keyring", "exchange", "telemetry", "toml_input"],
    ),
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

/// Returns every import that leads to a floor which the file's own floor may not import, with file and line.
pub(super) fn faults(imports: &BTreeMap<String, Vec<Import>>) -> Vec<String> {
    let mut faults = Vec::new();
    for (file, imports) in imports {
        let Some((floor, _)) = file.split_once('/') else { continue };
        let Some((_, below)) = FLOORS.iter().find(|(name, _)| *name == floor) else {
            faults.push(format!("src/{file}:1: {floor} is no floor; tests/suite/house/floors.rs lists them"));
            continue;
        };
        for Import { line, path, floors, .. } in imports {
            for upper in floors.iter().filter(|other| *other != floor && !below.contains(&other.as_str())) {
                faults.push(format!("src/{file}:{line}: {path} leads to {upper}, which {floor} may not import"));
            }
        }
    }
    faults.sort();
    faults.dedup();
    faults
}

#[cfg(test)]
mod tests {
    use super::super::imports::imports;
    use super::*;

    /// Faults of one file of `policy/` in a house of four floors.
    fn faults_of(file: &str, text: &str) -> Vec<String> {
        let files = [
            ("lib.rs", "pub mod base;\npub mod http;\npub mod policy;\npub mod store;\n"),
            ("base/mod.rs", "mod moment;\npub use moment::Moment;\n"),
            ("base/moment.rs", "pub struct Moment;\n"),
            ("http/mod.rs", "pub fn serve() {}\npub struct Peer;\n"),
            ("store/mod.rs", "pub struct Store;\npub use crate::base::Moment;\n"),
            ("policy/mod.rs", "mod one;\n"),
            (file, text),
        ];
        faults(&imports(&files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()))
    }

    #[test]
    fn every_way_to_name_an_upper_floor_is_found_on_its_line() {
        for (line, text) in [
            (1, "use crate::http::Peer;"),
            (3, "use crate::{\n    base::Moment,\n    http::Peer,\n};"),
            (3, "use {\n    crate::base::Moment,\n    crate::{http::{Peer}},\n};"),
            (1, "use super::super::http::Peer;"),
            (1, "use self::super::super::http::{self};"),
            (2, "mod inner {\n    use super::super::super::http::Peer;\n}"),
            (2, "fn f() {\n    crate::http::serve()\n}"),
            (2, "fn f() {\n    super::super::http::serve()\n}"),
            (2, "fn f() {\n    crate\n::http::serve()\n}"),
            (1, "fn f() { crate /* : */ :: r#http :: serve() }"),
            (1, "fn f(_: &dyn Fn(crate::http::Peer)) {}"),
            (1, "type P = <crate::http::Peer as Default>::P;"),
            (1, "use crate::http as base;"),
            (2, "use crate as base;\nfn f() { base::http::serve() }"),
            (2, "use crate::*;\nfn f() { http::serve() }"),
            (2, "extern crate self as me;\nuse me::http::Peer;"),
            (1, "pub use crate::http::*;"),
            (1, "pub(crate) use crate::http::Peer as Other;"),
            (1, "macro_rules! m { () => { $crate::http::serve() } }"),
            (1, "macro_rules! m { () => { use $crate::http::serve; } }"),
            (2, "struct S {\n    #[serde(with = \"crate::http::peer\")]\n    one: u8,\n}"),
            (3, "#[cfg(test)]\nmod tests {\n    use crate::http::Peer;\n}"),
        ] {
            let found = faults_of("policy/one.rs", text);
            assert_eq!(found.len(), 1, "{text}\n{found:?}");
            assert!(found[0].starts_with(&format!("src/policy/one.rs:{line}: ")), "{text}\n{found:?}");
            assert!(found[0].ends_with(" leads to http, which policy may not import"), "{text}\n{found:?}");
        }
        let tests = faults_of("policy/one_tests.rs", "use super::super::super::store::Store;");
        assert_eq!(tests.len(), 1, "{tests:?}");
    }

    #[test]
    fn lower_floors_foreign_crates_and_texts_are_no_faults() {
        for text in [
            "use crate::base::Moment;",
            "use super::super::base::Moment;",
            "// use crate::http::Peer;\n/* crate::http::serve() */\nconst T: &str = \"crate::http::serve()\";",
            "use http::Method;\nfn f() -> http::Uri { ::http::Uri::new() }",
            "use ::http::Method;",
            "fn f(x: X) { x.http; }",
        ] {
            assert_eq!(faults_of("policy/one.rs", text), [""; 0], "{text}");
        }
    }

    #[test]
    fn what_a_floor_re_exports_is_that_floors() {
        let through = "pub use crate::base::Moment;\nuse crate::policy::one::Moment as Other;";
        assert_eq!(faults_of("policy/one.rs", through), [""; 0]);
        let found = faults_of("jose/one.rs", "use crate::store::Moment;\nuse crate::policy::Moment;");
        assert_eq!(
            found,
            [
                "src/jose/one.rs:1: crate::store::Moment leads to store, which jose may not import",
                "src/jose/one.rs:2: crate::policy::Moment leads to policy, which jose may not import"
            ]
        );
    }

    #[test]
    fn a_folder_that_is_no_floor_is_a_fault() {
        assert_eq!(faults_of("utils/mod.rs", "").len(), 1);
    }
}
