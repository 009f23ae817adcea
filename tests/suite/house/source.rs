//! Reads one file: the items that it declares and every path that it names. Follows no path to another file.

use std::collections::BTreeSet;

use super::tokens::{Kind, Token, tokens};

/// A path that a file names: of a `use`, or in code.
#[derive(Debug, Clone)]
pub(super) struct Binding {
    /// Name that a `use` gives to the path; empty for a path in code and for `use x::*`.
    pub(super) name: String,
    /// Segments, relative to the file's module. The first is `::` if the path begins with the name of a crate.
    pub(super) path: Vec<String>,
    pub(super) line: usize,
    /// Whether the path is re-exported.
    pub(super) exported: bool,
    /// Whether only tests are compiled with the path.
    pub(super) in_tests: bool,
}

/// Declarations and paths of one file.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) items: BTreeSet<String>,
    pub(super) bindings: Vec<Binding>,
    /// Modules that are imported whole (`use x::*`).
    pub(super) globs: Vec<Binding>,
    /// Paths in code; names of one segment too.
    pub(super) paths: Vec<Binding>,
}

/// A module within the file, from its opening brace on.
struct Inner {
    depth: usize,
    in_tests: bool,
}

/// Returns what a source text declares and names.
pub(super) fn read(text: &str) -> Source {
    let tokens = tokens(text);
    let mut source = Source::default();
    let mut inner: Vec<Inner> = Vec::new();
    let (mut at, mut depth, mut exported) = (0, 0_usize, false);
    let token = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let is_name = |at: usize| tokens.get(at).is_some_and(|token| token.kind == Kind::Name);
    while at < tokens.len() {
        let in_tests = inner.iter().any(|module| module.in_tests);
        let place = Place { line: tokens[at].line, inner: inner.len(), exported, in_tests };
        match token(at) {
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                inner.pop_if(|module| module.depth == depth);
            }
            "pub" => {
                exported = true;
                at += 1;
                if token(at) == "(" {
                    at += tokens[at..].iter().take_while(|token| token.text != ")").count() + 1;
                }
                continue;
            }
            "use" if token(at + 1) != "<" => {
                let end = at + tokens[at..].iter().take_while(|token| token.text != ";").count();
                read_use(&tokens[at + 1..end], &[], &place, &mut source);
                at = end;
            }
            "extern" if token(at + 1) == "crate" && token(at + 2) == "self" && token(at + 3) == "as" => {
                source.bindings.push(place.binding(token(at + 4), &["crate"]));
                at += 4;
            }
            "mod" if token(at + 2) == "{" => {
                if depth == 0 {
                    source.items.insert(token(at + 1).to_owned());
                }
                inner.push(Inner { depth, in_tests: in_tests || is_for_tests(&tokens[..at]) });
                depth += 1;
                at += 2;
            }
            "struct" | "enum" | "trait" | "type" | "fn" | "const" | "static" | "mod" if depth == 0 => {
                // A module in a file of its own is a declaration.
                if token(at + 1) != "fn" && !(token(at) == "mod" && token(at + 2) == ";") {
                    source.items.insert(token(at + 1).to_owned());
                }
                at += usize::from(token(at + 1) != "fn");
            }
            "macro_rules" if depth == 0 => drop(source.items.insert(token(at + 2).to_owned())),
            _ if is_name(at) => {
                let start = at;
                let mut path = vec![token(at)];
                while token(at + 1) == "::" && is_name(at + 2) {
                    path.push(token(at + 2));
                    at += 2;
                }
                let before = |count: usize| start.checked_sub(count).map_or("", token);
                let is_field = path.len() == 1 && token(at + 1) == ":";
                if before(1) == "::" && !(start >= 2 && is_name(start - 2)) && before(2) != ">" {
                    path.insert(0, "::");
                }
                if before(1) != "." && before(1) != "fn" && !is_field {
                    source.paths.push(place.binding("", &path));
                }
            }
            // An attribute's path, such as `#[serde(with = "crate::a::b")]`.
            text if text.starts_with('"') && at > 2 && token(at - 1) == "=" && matches!(token(at - 3), "(" | ",") => {
                let path: Vec<&str> = text.trim_matches('"').split("::").collect();
                source.paths.push(place.binding("", &path));
            }
            _ => {}
        }
        exported = false;
        at += 1;
    }
    source
}

/// Whether the attribute before an item compiles it for tests alone.
fn is_for_tests(before: &[Token<'_>]) -> bool {
    let visible = before.iter().rev().skip_while(|token| token.text != "]").take(7).map(|token| token.text);
    visible.eq(["]", ")", "test", "(", "cfg", "[", "#"])
}

/// Where a path stands.
struct Place {
    line: usize,
    /// Number of modules within the file around the path.
    inner: usize,
    exported: bool,
    in_tests: bool,
}

impl Place {
    /// Returns a binding whose path is relative to the file's module.
    fn binding(&self, name: &str, path: &[&str]) -> Binding {
        let start = path.iter().take_while(|segment| **segment == "self").count();
        let supers = path[start..].iter().take_while(|segment| **segment == "super").count();
        let mut relative = Vec::new();
        if start > 0 || supers > 0 {
            relative.push("self".to_owned());
        }
        relative.extend((self.inner..supers).map(|_| "super".to_owned()));
        relative.extend(path[start + supers..].iter().map(|segment| (*segment).to_owned()));
        let Place { line, exported, in_tests, .. } = *self;
        Binding { name: name.to_owned(), path: relative, line, exported, in_tests }
    }
}

/// Reads a tree of names (`a::{b, c::d as e}`) that stands after `before`.
fn read_use<'a>(tree: &[Token<'a>], before: &[&'a str], place: &Place, source: &mut Source) {
    let mut path = before.to_vec();
    let mut place = Place { ..*place };
    let mut at = 0;
    while let Some(token) = tree.get(at) {
        place.line = token.line;
        match token.text {
            "::" if path.is_empty() => path.push("::"),
            "::" | "$" => {}
            "*" => return source.globs.push(place.binding("", &path)),
            "as" => {
                let name = tree.get(at + 1).map_or("", |token| token.text);
                return source.bindings.push(place.binding(name, &path));
            }
            "{" => {
                let (mut depth, mut start) = (0, at + 1);
                for (end, token) in tree.iter().enumerate().skip(at) {
                    match token.text {
                        "{" => depth += 1,
                        "}" => depth -= 1,
                        _ => {}
                    }
                    if (token.text == "," && depth == 1) || (token.text == "}" && depth == 0) {
                        if start < end {
                            read_use(&tree[start..end], &path, &place, source);
                        }
                        start = end + 1;
                    }
                }
                return;
            }
            "self" if !path.is_empty() => {}
            name => path.push(name),
        }
        at += 1;
    }
    let name = path.last().copied().unwrap_or_default();
    source.bindings.push(place.binding(name, &path));
}
