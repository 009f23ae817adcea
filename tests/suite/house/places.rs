//! The tables that tell a newcomer where something is: `Where is …?` of CONTRIBUTING and `I want to change…` of README. A
//! row is true only if its file defines its item; a call, a comment or an import that mentions the item does not count.

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
        let words: Vec<_> = tokens::tokens(item).iter().map(|token| token.text).collect();
        match fs::read_to_string(root.join(file)) {
            Err(error) => Some(format!("{file}: {error}")),
            Ok(_) if !is_definition(&words) => {
                Some(format!("{item} is no definition: write `fn name`, `const NAME`, … or a field with its type"))
            }
            Ok(text) if defines(&text, &words) => None,
            Ok(_) => Some(format!("{file} does not define {item}")),
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

/// Words that begin a definition, and the tokens that may follow the defined name.
const DEFINITIONS: &[(&str, &[&str])] = &[
    ("const", &[":"]),
    ("static", &[":"]),
    ("fn", &["(", "<"]),
    ("struct", &["{", "(", "<", ";"]),
    ("enum", &["{", "<"]),
    ("trait", &["{", "<", ":"]),
    ("type", &["=", "<"]),
    ("impl", &["{", "where"]),
    ("macro_rules", &["{"]),
];

/// Tokens before a definition: the end of another one, or what precedes the word that begins the definition.
const BEFORE_DEFINITION: &[&str] = &["{", "}", ";", "]", ")", "pub", "async", "const", "unsafe", "default"];

/// Whether a cell of the table is the beginning of a definition, such as `fn name`, or a field with its type.
fn is_definition(item: &[&str]) -> bool {
    match item {
        ["macro_rules", "!", _] => true,
        ["impl", _, ..] => true,
        [word, _] => DEFINITIONS.iter().any(|(begins, _)| word == begins),
        [_, ":", _, ..] => true,
        _ => false,
    }
}

/// Whether a source text defines an item, outside comments, literals and unit tests. A field is defined in a struct.
fn defines(text: &str, item: &[&str]) -> bool {
    let all = tokens::tokens(text);
    let code: Vec<_> = before_tests(&all).iter().map(|token| token.text).collect();
    let follows = DEFINITIONS.iter().find(|(begins, _)| item.first() == Some(begins)).map(|(_, follows)| *follows);
    let starts = code.windows(item.len()).enumerate().filter(|(_, window)| *window == item).map(|(at, _)| at);
    starts.into_iter().any(|at| {
        let before = at.checked_sub(1).map(|at| code[at]);
        let after = code.get(at + item.len()).copied().unwrap_or_default();
        match follows {
            Some(follows) => follows.contains(&after) && before.is_none_or(|token| BEFORE_DEFINITION.contains(&token)),
            None => [",", "=", ";", "}"].contains(&after) && is_in_struct(&code[..at]),
        }
    })
}

/// Whether the innermost bracket that is open after these tokens is the body of a struct.
fn is_in_struct(before: &[&str]) -> bool {
    let mut closed = 0;
    let opens = before.iter().rposition(|token| match *token {
        "}" | ")" | "]" => {
            closed += 1;
            false
        }
        "{" | "(" | "[" if closed > 0 => {
            closed -= 1;
            false
        }
        "{" | "(" | "[" => true,
        _ => false,
    });
    let head =
        opens.filter(|at| before[*at] == "{").map(|at| before[..at].rsplit(|token| [";", "{", "}"].contains(token)));
    head.and_then(|mut parts| parts.next()).is_some_and(|head| head.contains(&"struct"))
}

fn before_tests<'a, 'b>(tokens: &'b [Token<'a>]) -> &'b [Token<'a>] {
    let texts: Vec<_> = tokens.iter().map(|token| token.text).collect();
    let end = texts.windows(9).position(|texts| texts == ["#", "[", "cfg", "(", "test", ")", "]", "mod", "tests"]);
    &tokens[..end.unwrap_or(tokens.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(item: &str, text: &str) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.rs"), text).unwrap();
        let row =
            format!("## Where is …?\n\n| the question | file | item |\n|---|---|---|\n| … a? | `a.rs` | `{item}` |\n");
        let [answer] = <[Answer; 1]>::try_from(answers(&row)).unwrap_or_else(|_| panic!("one row: {row}"));
        answer.fault(folder.path())
    }

    #[test]
    fn a_row_names_the_beginning_of_a_definition_in_its_file() {
        for (text, item) in [
            ("pub const\n    LIMIT: u8 = 1;", "const LIMIT"),
            ("fn f() {}\npub(super) async fn g<T>() {}", "fn g"),
            ("#[a]\nimpl /* a */ From<B> for C {}", "impl From<B> for C"),
            ("macro_rules! m { () => {} }", "macro_rules! m"),
            ("pub struct S<T> {\n    a: u8,\n    pub b: Option<T>,\n}", "b: Option<T>"),
            ("section! { pub struct S in (\"s\") { a: u8 = default \"1\"; b: u8 = default \"2\"; } }", "b: u8"),
        ] {
            assert_eq!(fault(item, text), None, "{text} {item}");
        }
        for (text, item) in [
            ("let a = LIMIT;", "LIMIT"),
            ("let p = \"bpw_\";", "\"bpw_\""),
            ("// const LIMIT: u8 = 1;", "const LIMIT"),
            ("/* fn f() {} */", "fn f"),
            ("const LIMITS: u8 = 1;", "const LIMIT"),
            ("const MY_LIMIT: u8 = 1;", "const LIMIT"),
            ("fn name_of() {}", "fn name"),
            ("let text = \"fn name() {}\";", "fn name"),
            ("let name = other.name();", "fn name"),
            ("use super::{\n    Limit,\n};", "struct Limit"),
            ("fn f() -> impl Limit {}", "impl Limit"),
            ("#[cfg(test)]\nmod tests { fn f() {} }", "fn f"),
            ("struct S { c: T }\nfn f(a: u8, b: u8) {}", "b: u8"),
            ("fn f() {}", ""),
        ] {
            assert!(fault(item, text).is_some(), "{text} {item}");
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
