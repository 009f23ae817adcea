//! The manual's table of bounds is held to the code: defaults, constants, and no key left out.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use buildpass::config::markdown_reference;

/// Sections whose durations and whole numbers are bounds.
const BOUNDED: [&str; 3] = ["server", "store", "limits"];

/// Cells of the rows of each table, and the heading of `## ` before them.
fn rows(text: &str) -> Vec<(String, Vec<String>)> {
    let (mut heading, mut rows) = (String::new(), Vec::new());
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            title.clone_into(&mut heading);
        } else if line.starts_with("| ") {
            let cells = line.trim_matches('|').split(" | ").map(|cell| cell.trim().replace(['`', '"'], ""));
            rows.push((heading.clone(), cells.collect()));
        }
    }
    rows
}

/// Type and default of every key that stands in a section of its own.
fn keys(reference: &str) -> BTreeMap<String, (String, String)> {
    let sections = rows(reference).into_iter().filter(|(heading, _)| heading.starts_with("`["));
    sections
        .map(|(heading, cells)| {
            let section = heading.trim_matches(['`', '[', ']']).to_owned();
            (format!("{section}.{}", cells[0]), (cells[1].clone(), cells[2].clone()))
        })
        .collect()
}

/// The value of a constant as the table writes it: `1024`, `10s` or `100ms`.
fn constant(file: &str, name: &str) -> Option<String> {
    let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).ok()?;
    let declared = source.lines().find_map(|line| line.split_once(&format!("const {name}: ")).map(|(_, rest)| rest))?;
    let value = declared.split_once(" = ")?.1.split(';').next()?.replace('_', "");
    let product = |text: &str| text.split(" * ").map(|factor| factor.parse::<u64>().ok()).product::<Option<u64>>();
    let within = |unit: &str| value.strip_prefix(unit)?.strip_suffix(')').and_then(product);
    let seconds = within("Duration::fromsecs(").map(|seconds| format!("{seconds}s"));
    let millis = within("Duration::frommillis(").map(|millis| format!("{millis}ms"));
    seconds.or(millis).or_else(|| product(&value).map(|count| count.to_string()))
}

/// Every fault of the table.
fn faults(table: &str, reference: &str) -> Vec<String> {
    let keys = keys(reference);
    let (mut named, mut faults) = (Vec::new(), Vec::new());
    for (_, cells) in rows(table).into_iter().filter(|(_, cells)| cells[0] != "what") {
        let [_, setting, default, at_the_bound] = &cells[..] else {
            faults.push(format!("{cells:?}: not four cells"));
            continue;
        };
        let right = match setting.split_once(": ") {
            Some((file, name)) => constant(file, name),
            None => keys.get(setting).map(|(_, default)| default.clone()),
        };
        match right {
            None => faults.push(format!("{setting}: neither a key nor a constant with a plain value")),
            Some(right) if right != *default => faults.push(format!("{setting}: {default}, and the code has {right}")),
            Some(_) if at_the_bound.is_empty() => faults.push(format!("{setting}: nothing happens at the bound")),
            Some(_) => named.push(setting.clone()),
        }
    }
    for (key, (kind, _)) in &keys {
        let is_bounded = BOUNDED.iter().any(|section| key.starts_with(&format!("{section}.")));
        let is_bound = kind == "duration" || kind == "whole number";
        if is_bounded && is_bound && !named.contains(key) {
            faults.push(format!("{key}: has no row"));
        }
    }
    faults
}

#[test]
fn the_table_of_bounds_says_what_the_code_does() {
    let table = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/manual/bounds.md")).unwrap();
    let faults = faults(&table, &markdown_reference());
    assert!(faults.is_empty(), "src/manual/bounds.md:\n{}", faults.join("\n"));
}

#[test]
fn a_wrong_row_and_a_missing_one_are_seen() {
    let reference = "## `[server]`\n\n| key | type | default | meaning |\n|---|---|---|---|\n\
                     | `a` | duration | `\"5s\"` | A. |\n| `b` | whole number | `7` | B. |\n| `c` | string | `x` | C. |\n";
    let table = |rows: &str| format!("| what | setting | default | at the bound |\n|---|---|---|---|\n{rows}");
    let fine = "| a | `server.a` | `5s` | closed |\n| b | `server.b` | `7` | `503` |\n\
                | c | `src/http/serve.rs: BACKLOG` | `1024` | dropped |\n\
                | d | `src/http/serve.rs: PLACE_WITHIN` | `10s` | closed |\n";
    assert_eq!(faults(&table(fine), reference), [""; 0]);
    for (right, wrong) in [
        ("`5s`", "`6s`"),
        ("server.b", "server.d"),
        ("`1024`", "`1025`"),
        ("PLACE_WITHIN", "PLACE_WITHOUT"),
        ("| a | `server.a` | `5s` | closed |\n", ""),
    ] {
        assert!(!faults(&table(&fine.replace(right, wrong)), reference).is_empty(), "{wrong}");
    }
}
