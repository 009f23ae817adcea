//! The tables that tell a newcomer where something is: `Where is …?` of CONTRIBUTING and `I want to change…` of README. A
//! row is true only if its file has its item in code; a comment or an import that mentions the item does not count.

use std::fs;
use std::path::Path;

use super::tokens::{self, Token};

/// A row of CONTRIBUTING's table: the item that answers a question, and its file.
pub(super) struct Answer {
    file: String,
    item: String,
}

/// A row of README's table, with every place that it names.
pub(super) struct Change {
    what: String,
    places: Vec<String>,
}

/// Returns the rows of CONTRIBUTING's table.
pub(super) fn answers(contributing: &str) -> Vec<Answer> {
    let section = contributing.split("## Where is …?").nth(1).unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| … "));
    let cell = |row: &str, at: usize| row.split('|').nth(at).unwrap().trim().trim_matches('`').to_owned();
    rows.map(|row| Answer { file: cell(row, 2), item: cell(row, 3) }).collect()
}

/// Returns the rows of README's table.
pub(super) fn changes(readme: &str) -> Vec<Change> {
    let section = readme.split("## I want to change…").nth(1).unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| ")).skip(1);
    let change = |row: &str| {
        let (what, places) = row.trim_matches('|').split_once('|').unwrap();
        let places = places.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        Change { what: what.trim().to_owned(), places }
    };
    rows.map(change).collect()
}

impl Answer {
    /// Returns what is false in the row, if anything.
    pub(super) fn fault(&self, root: &Path) -> Option<String> {
        let Self { file, item } = self;
        match fs::read_to_string(root.join(file)) {
            Ok(text) if has(&text, item) => None,
            Ok(_) => Some(format!("{file} has no {item} in its code")),
            Err(error) => Some(format!("{file}: {error}")),
        }
    }
}

impl Change {
    /// Returns what is false in the row.
    pub(super) fn faults(&self, root: &Path) -> Vec<String> {
        let Self { what, places } = self;
        let is_there = |place: &&String| match place.strip_suffix('/') {
            Some(folder) => root.join(folder).is_dir(),
            None => root.join(place).is_file(),
        };
        if places.is_empty() {
            return vec![format!("README, {what}: names no place")];
        }
        let missing = places.iter().filter(|place| !is_there(place));
        missing.map(|place| format!("README, {what}: {place} is no file, or no folder if it ends with /")).collect()
    }
}

/// Whether a source text has an item, as whole words, outside comments, imports and unit tests.
fn has(text: &str, item: &str) -> bool {
    let all = tokens::tokens(text);
    let code = tokens::plain(&without_imports(before_tests(&all)));
    let item = tokens::plain(&tokens::tokens(item));
    let is_edge = |c: Option<char>| !c.is_some_and(tokens::is_word);
    !item.is_empty()
        && code.match_indices(&item).any(|(at, found)| {
            let (before, after) = (code[..at].chars().next_back(), code[at + found.len()..].chars().next());
            let is_start = !item.starts_with(tokens::is_word) || is_edge(before);
            is_start && (!item.ends_with(tokens::is_word) || is_edge(after))
        })
}

fn before_tests<'a, 'b>(tokens: &'b [Token<'a>]) -> &'b [Token<'a>] {
    let texts: Vec<_> = tokens.iter().map(|token| token.text).collect();
    let end = texts.windows(9).position(|texts| texts == ["#", "[", "cfg", "(", "test", ")", "]", "mod", "tests"]);
    &tokens[..end.unwrap_or(tokens.len())]
}

fn without_imports<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let mut is_import = false;
    let is_kept = |token: &&Token<'_>| {
        is_import |= token.text == "use";
        let kept = !is_import;
        is_import &= token.text != ";";
        kept
    };
    tokens.iter().filter(is_kept).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_a_whole_word_in_code() {
        for (text, item) in [
            ("const LIMIT: u8 = 1;", "LIMIT"),
            ("pub const\n    LIMIT: u8 = 1;", "const LIMIT"),
            ("fn f() { g(\"a: x-user\") }", "x-user"),
            ("let p = \"bpw_\";", "\"bpw_\""),
            ("impl /* a */ From<B> for C {}", "impl From<B> for C"),
        ] {
            assert!(has(text, item), "{text} {item}");
        }
        for (text, item) in [
            ("// const LIMIT", "const LIMIT"),
            ("/// `LIMIT`\nfn f() {}", "LIMIT"),
            ("/* fn f() {} */", "fn f"),
            ("const LIMITS: u8 = 1;", "LIMIT"),
            ("const MY_LIMIT: u8 = 1;", "LIMIT"),
            ("fn name_of() {}", "fn name"),
            ("use super::{\n    LIMIT,\n};", "LIMIT"),
            ("#[cfg(test)]\nmod tests { fn f() {} }", "fn f"),
            ("fn f() {}", ""),
        ] {
            assert!(!has(text, item), "{text} {item}");
        }
    }

    #[test]
    fn a_row_of_the_readme_names_files_and_folders_that_exist() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let table = |places: &str| format!("## I want to change…\n\n| what | where |\n|---|---|\n| a | {places} |\n");
        for (places, count) in [
            ("`src/lib.rs`, then `src/http/`", 0),
            ("`src/lib.r`", 1),
            ("`src/http`", 1),
            ("`src/lib.rs/` and `nothing/`", 2),
            ("somewhere", 1),
        ] {
            let changes = changes(&table(places));
            assert_eq!(changes.len(), 1);
            assert_eq!(changes[0].faults(root).len(), count, "{places}");
        }
    }
}
