//! Runs `tests/voice.sh` over files of its own, to see that the counts of CONTRIBUTING's voice find what they count. Never
//! over this repository: `.ci/run` does that.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Runs the counts over one file and returns whether they passed, with what they printed.
fn voice_of(text: &str) -> (bool, String) {
    let clone = tempfile::tempdir().unwrap();
    fs::create_dir(clone.path().join("tests")).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/voice.sh");
    fs::copy(script, clone.path().join("tests/voice.sh")).unwrap();
    fs::write(clone.path().join("one.rs"), text).unwrap();
    for arguments in [["init", "-q"], ["add", "."]] {
        assert!(Command::new("git").current_dir(&clone).args(arguments).status().unwrap().success());
    }
    let output = Command::new("bash").current_dir(&clone).arg("tests/voice.sh").output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn each_fault_of_a_doc_is_printed_with_its_file_and_line() {
    let lines = [
        "//! Purpose of the file. Why?",
        "",
        "/// Short doc.",
        "pub struct A;",
        "/** Block comment. */",
        "pub struct B;",
        r#"#[doc = "Is it an attribute?"]"#,
        "pub struct C;",
        "#[cfg_attr(",
        "    unix,",
        r##"    doc = r#"Is it raw?"#"##,
        ")]",
        "pub struct D;",
        "/*! Block at the head. */",
        r#"#[doc = concat!("Is it ", "two texts?")]"#,
        "pub struct E;",
    ];
    let (passed, printed) = voice_of(&lines.join("\n"));
    assert!(!passed, "{printed}");
    for place in ["one.rs:1:", "one.rs:3:", "one.rs:5:", "one.rs:7:", "one.rs:10:", "one.rs:14:", "one.rs:15:"] {
        assert_eq!(printed.matches(&format!("  {place} ")).count(), 1, "{place}\n{printed}");
    }
    assert_eq!(printed.matches("one.rs:").count(), 7, "{printed}");
}

#[test]
fn questions_in_code_and_docs_that_a_macro_passes_on_are_no_faults() {
    let lines = [
        "//! Purpose of the file: `a?` and <https://host/?a=b>.",
        "/* A comment, not a doc. */",
        "/**/",
        r#"macro_rules! m { ($(#[doc = $doc:literal])+ $n:ident) => { $(#[doc = $doc])+ #[doc = concat!("Default: ", $d)] struct $n; } }"#,
        r#"#[doc = include_str!("chapter.md")]"#,
        "#[doc(hidden)]",
        r#"pub const TEXT: &str = "/** no doc? */ #[doc = no]";"#,
        r#"fn f() { let doc = "Is it a doc?"; }"#,
    ];
    let (passed, printed) = voice_of(&lines.join("\n"));
    assert!(passed, "{printed}");
}
