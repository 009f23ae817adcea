//! Links of the manual and of the texts beside it: every relative link leads to a file, every anchor to a heading.

use std::collections::HashMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

const BESIDE: [&str; 7] = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "keys/README.md",
    "fuzz/README.md",
    "examples/compose/README.md",
];
const MANUAL: &str = "src/manual";

/// Lines outside fenced code, counted from 1.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut in_code = false;
    let mut lines = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            lines.push((at + 1, line));
        }
    }
    lines
}

/// The anchors of a text's headings, as GitHub and mdBook name them.
fn anchors(text: &str) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let headings = prose(text).into_iter().filter(|(_, line)| line.starts_with('#'));
    headings
        .map(|(_, line)| {
            let words = line.trim_start_matches('#').trim().to_lowercase();
            let kept = words.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
            let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
            let count = seen.entry(anchor.clone()).and_modify(|count| *count += 1).or_insert(0);
            if *count == 0 { anchor } else { format!("{anchor}-{count}") }
        })
        .collect()
}

/// The targets of inline links, with their lines. Code spans hold no links.
fn targets(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        let outside: String = line.split('`').step_by(2).collect();
        for (at, _) in outside.match_indices("](") {
            let rest = &outside[at + 2..];
            found.push((number, rest.split(')').next().unwrap().to_owned()));
        }
    }
    found
}

/// The path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

/// Every broken link of a text; `read` answers the text of a file, the empty text of a folder.
fn broken(path: &str, text: &str, read: &dyn Fn(&Path) -> Option<String>) -> Vec<String> {
    let mut faults = Vec::new();
    for (line, target) in targets(text) {
        if target.starts_with("https://") || target.is_empty() {
            continue;
        }
        let (file, anchor) = target.split_once('#').map_or((target.as_str(), None), |(file, at)| (file, Some(at)));
        let place = match file {
            "" => PathBuf::from(path),
            file => plain(&Path::new(path).parent().unwrap().join(file)),
        };
        let Some(linked) = read(&place) else {
            faults.push(format!("{path}:{line}: {target}: no file {}", place.display()));
            continue;
        };
        if path.starts_with(MANUAL) && !place.starts_with(MANUAL) {
            faults.push(format!("{path}:{line}: {target}: leads out of the book"));
        }
        if anchor.is_some_and(|anchor| !anchors(&linked).iter().any(|known| known == anchor)) {
            faults.push(format!("{path}:{line}: {target}: no such heading"));
        }
    }
    faults
}

fn read(path: &Path) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if path.is_dir() { Some(String::new()) } else { fs::read_to_string(path).ok() }
}

fn chapters() -> Vec<String> {
    let folder = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(MANUAL)).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(".md")).collect();
    names.sort();
    names
}

#[test]
fn every_link_leads_somewhere() {
    let chapters = chapters().into_iter().map(|name| format!("{MANUAL}/{name}"));
    let texts = chapters.chain(BESIDE.map(str::to_owned));
    let faults: Vec<_> = texts.flat_map(|path| broken(&path, &read(Path::new(&path)).unwrap(), &read)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_chapter_is_in_the_book_and_in_rustdoc() {
    let summary = read(Path::new("src/manual/SUMMARY.md")).unwrap();
    let module = read(Path::new("src/manual/mod.rs")).unwrap();
    for name in chapters().iter().filter(|name| *name != "SUMMARY.md") {
        assert!(summary.contains(&format!("]({name})")), "SUMMARY.md has no line for {name}");
        assert!(module.contains(&format!("include_str!(\"{name}\")")), "mod.rs has no line for {name}");
    }
}

#[test]
fn a_broken_link_is_seen() {
    let files = |path: &Path| match path.to_str().unwrap() {
        "src/manual/b.md" => Some("# B\n\n## A `code` heading, twice\n\n## A `code` heading, twice\n".to_owned()),
        "src/manual/a.md" => Some("# A\n".to_owned()),
        "README.md" => Some(String::new()),
        _ => None,
    };
    let fine =
        "[b](b.md) [b](b.md#a-code-heading-twice) [b](b.md#a-code-heading-twice-1) [a](#a) [web](https://x.example/)";
    assert_eq!(broken("src/manual/a.md", fine, &files), [""; 0]);
    let in_code = "`[x](nowhere.md)`\n```text\n[x](nowhere.md)\n```\n";
    assert_eq!(broken("src/manual/a.md", in_code, &files), [""; 0]);
    for bad in ["[x](c.md)", "[x](b.md#missing)", "[x](#missing)", "[x](../../README.md)"] {
        assert_eq!(broken("src/manual/a.md", bad, &files).len(), 1, "{bad}");
    }
}
