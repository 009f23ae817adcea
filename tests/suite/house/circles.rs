//! Import circles among the files of `src`, read off the source: which file imports which, and which of them import
//! each other. Never fails on syntax that it does not know: such a line is no import.

use std::collections::{BTreeMap, BTreeSet};

/// Files by their path below `src`, each with its text.
pub(super) type Tree = BTreeMap<String, String>;

/// Each file with the files that it imports.
pub(super) type Imports = BTreeMap<String, BTreeSet<String>>;

/// Folders whose files are compiled once for each backend, as children of both modules (`sql_modules!`).
const SHARED: &str = "store/sql/";
const BACKENDS: [&str; 2] = ["sqlite", "postgres"];

/// A `use` of one name: what it is called here, the path, and whether it is a re-export.
#[derive(Debug, Clone)]
struct Binding {
    name: String,
    path: Vec<String>,
    exported: bool,
}

/// Declarations and paths of one file.
#[derive(Debug, Default)]
struct Source {
    items: BTreeSet<String>,
    bindings: Vec<Binding>,
    /// Modules that are imported whole (`use x::*`).
    globs: Vec<Binding>,
    /// Paths in code; names of one segment too.
    paths: BTreeSet<Vec<String>>,
}

/// Target of a path.
enum Target {
    Foreign,
    File(String),
    Module(Vec<String>),
}

struct House {
    sources: BTreeMap<String, Source>,
    modules: BTreeMap<Vec<String>, String>,
}

/// Returns each file with the files that define what it names.
pub(super) fn imports(tree: &Tree) -> Imports {
    let code = tree.iter().filter(|(path, _)| !path.ends_with("_tests.rs"));
    let sources = code.map(|(path, text)| (path.clone(), read(text))).collect::<BTreeMap<_, _>>();
    let modules = sources.keys().flat_map(|path| module_paths(path).into_iter().map(|module| (module, path.clone())));
    let house = House { modules: modules.collect(), sources };
    let mut imports = Imports::new();
    for (module, file) in &house.modules {
        let found = imports.entry(file.clone()).or_default();
        found.extend(house.imported_by(module, &house.sources[file]));
        found.remove(file);
    }
    imports
}

/// Returns the circles: files that import each other, directly or through others, each sorted.
pub(super) fn circles(imports: &Imports) -> Vec<Vec<String>> {
    let reach = |from: &String| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(file) = open.pop() {
            open.extend(imports.get(file).into_iter().flatten().filter(|next| seen.insert((*next).clone())));
        }
        seen
    };
    let reached: BTreeMap<&String, BTreeSet<String>> = imports.keys().map(|file| (file, reach(file))).collect();
    let mut circles = BTreeSet::new();
    for (file, seen) in &reached {
        if seen.contains(*file) {
            circles.insert(seen.iter().filter(|other| reached[*other].contains(*file)).cloned().collect::<Vec<_>>());
        }
    }
    circles.into_iter().collect()
}

/// Returns the folder that holds all files of a circle.
fn folder(circle: &[String]) -> String {
    let mut shared: Vec<&str> = circle[0].split('/').collect();
    shared.pop();
    for file in circle {
        let parts: Vec<&str> = file.split('/').collect();
        let same = shared.iter().zip(&parts[..parts.len() - 1]).take_while(|(one, other)| one == other).count();
        shared.truncate(same);
    }
    shared.join("/")
}

/// Describes a circle: each file with its imports within the circle.
pub(super) fn describe(circle: &[String], imports: &Imports) -> String {
    let within = |file: &String| {
        let others = imports[file].iter().filter(|other| circle.contains(other)).cloned().collect::<Vec<_>>();
        format!("  {file} imports {}", others.join(", "))
    };
    format!("{}: {} files\n{}", folder(circle), circle.len(), circle.iter().map(within).collect::<Vec<_>>().join("\n"))
}

impl House {
    fn imported_by(&self, module: &[String], source: &Source) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut note = |target| match target {
            Target::File(file) => drop(found.insert(file)),
            // A folder's own module is what it defines, not what it holds.
            Target::Module(module) if !self.modules[&module].ends_with("mod.rs") => {
                found.insert(self.modules[&module].clone());
            }
            Target::Module(_) | Target::Foreign => {}
        };
        for binding in source.bindings.iter().filter(|binding| !binding.exported) {
            note(self.resolve(module, &binding.path, 0));
        }
        for path in &source.paths {
            note(self.resolve(module, path, 0));
        }
        for glob in source.globs.iter().filter(|glob| !glob.exported) {
            match self.resolve(module, &glob.path, 0) {
                Target::Module(module) if !self.sources[&self.modules[&module]].items.is_empty() => {
                    note(Target::File(self.modules[&module].clone()));
                }
                target => note(target),
            }
        }
        found
    }

    /// Follows a path from a module, through re-exports, to the file that defines its item.
    fn resolve(&self, from: &[String], path: &[String], depth: usize) -> Target {
        if depth > 20 {
            return Target::Foreign;
        }
        let mut module = from.to_vec();
        for (at, segment) in path.iter().enumerate() {
            match segment.as_str() {
                "crate" => module.clear(),
                "self" => {}
                "super" => drop(module.pop()),
                name => {
                    let child = [module.as_slice(), &[name.to_owned()]].concat();
                    if self.modules.contains_key(&child) {
                        module = child;
                        continue;
                    }
                    let file = &self.modules[&module];
                    let source = &self.sources[file];
                    if source.items.contains(name) {
                        return Target::File(file.clone());
                    }
                    if let Some(binding) = source.bindings.iter().find(|binding| binding.name == name) {
                        if binding.path.first() == path.first() && binding.path.len() == 1 {
                            return Target::Foreign;
                        }
                        let whole = [&binding.path, &path[at + 1..]].concat();
                        return self.resolve(&module, &whole, depth + 1);
                    }
                    for glob in &source.globs {
                        if let Target::Module(whole) = self.resolve(&module, &glob.path, depth + 1)
                            && whole != module
                            && self.sources[&self.modules[&whole]].has(name)
                        {
                            return self.resolve(&whole, &path[at..], depth + 1);
                        }
                    }
                    return if at == 0 { Target::Foreign } else { Target::File(file.clone()) };
                }
            }
        }
        Target::Module(module)
    }
}

impl Source {
    fn has(&self, name: &str) -> bool {
        self.items.contains(name) || self.bindings.iter().any(|binding| binding.name == name)
    }
}

/// Module paths of a file: two for one that both backends compile.
fn module_paths(file: &str) -> Vec<Vec<String>> {
    let parts = |path: &str| path.split('/').map(str::to_owned).collect::<Vec<_>>();
    let stem = file.trim_end_matches(".rs");
    match stem {
        "lib" => vec![vec![]],
        // A crate of its own, which no file imports.
        "main" => vec![],
        _ => match stem.strip_prefix(SHARED) {
            Some(name) => BACKENDS.iter().map(|backend| parts(&format!("store/{backend}/{name}"))).collect(),
            None => vec![parts(stem.trim_end_matches("/mod"))],
        },
    }
}

fn read(text: &str) -> Source {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let tokens = tokens(code);
    let mut source = Source::default();
    let (mut at, mut depth, mut exported) = (0, 0_usize, false);
    let token = |at: usize| tokens.get(at).map_or("", String::as_str);
    while at < tokens.len() {
        let current = token(at);
        match current {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            "pub" => {
                exported = true;
                at += 1;
                if token(at) == "(" {
                    at += tokens[at..].iter().take_while(|token| *token != ")").count() + 1;
                }
                continue;
            }
            "use" if token(at + 1) != "<" => {
                let end = at + tokens[at..].iter().take_while(|token| *token != ";").count();
                read_use(&tokens[at + 1..end], &[], exported, &mut source);
                at = end;
            }
            "struct" | "enum" | "trait" | "type" | "fn" | "const" | "static" | "mod" if depth == 0 => {
                // A module in a file of its own is a declaration.
                if token(at + 1) != "fn" && !(current == "mod" && token(at + 2) == ";") {
                    source.items.insert(token(at + 1).to_owned());
                }
                at += usize::from(token(at + 1) != "fn");
            }
            "macro_rules" if depth == 0 => drop(source.items.insert(token(at + 2).to_owned())),
            name if is_name(name) => {
                let start = at;
                let mut path = vec![name.to_owned()];
                while token(at + 1) == "::" && is_name(token(at + 2)) {
                    path.push(token(at + 2).to_owned());
                    at += 2;
                }
                let before = if start == 0 { "" } else { token(start - 1) };
                let is_field = path.len() == 1 && token(at + 1) == ":";
                if before != "." && before != "fn" && before != "'" && !is_field {
                    source.paths.insert(path);
                }
            }
            _ => {}
        }
        exported = false;
        at += 1;
    }
    source
}

/// Reads a tree of names (`a::{b, c::d as e}`) that stands after `before`.
fn read_use(tree: &[String], before: &[String], exported: bool, source: &mut Source) {
    let mut path = before.to_vec();
    let mut at = 0;
    while let Some(token) = tree.get(at) {
        match token.as_str() {
            "::" => {}
            "*" => return source.globs.push(Binding { name: String::new(), path, exported }),
            "as" => {
                let name = tree.get(at + 1).cloned().unwrap_or_default();
                return source.bindings.push(Binding { name, path, exported });
            }
            "{" => {
                let (mut depth, mut start) = (0, at + 1);
                for (end, token) in tree.iter().enumerate().skip(at) {
                    match token.as_str() {
                        "{" => depth += 1,
                        "}" => depth -= 1,
                        _ => {}
                    }
                    if (token == "," && depth == 1) || (token == "}" && depth == 0) {
                        if start < end {
                            read_use(&tree[start..end], &path, exported, source);
                        }
                        start = end + 1;
                    }
                }
                return;
            }
            "self" if !path.is_empty() => {}
            name => path.push(name.to_owned()),
        }
        at += 1;
    }
    let name = path.last().cloned().unwrap_or_default();
    source.bindings.push(Binding { name, path, exported });
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Returns names, `::` and single signs, without comments, string literals and lifetimes.
fn tokens(code: &str) -> Vec<String> {
    let chars: Vec<char> = code.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    let next = |at: usize| chars.get(at).copied().unwrap_or('\0');
    while at < chars.len() {
        let start = at;
        match chars[at] {
            '/' if next(at + 1) == '/' => at += chars[at..].iter().take_while(|c| **c != '\n').count(),
            '/' if next(at + 1) == '*' => {
                while at < chars.len() && !(next(at) == '*' && next(at + 1) == '/') {
                    at += 1;
                }
                at += 2;
            }
            '"' => {
                at += 1;
                while at < chars.len() && chars[at] != '"' {
                    at += if chars[at] == '\\' { 2 } else { 1 };
                }
                at += 1;
            }
            'r' if next(at + 1) == '"' || (next(at + 1) == '#' && matches!(next(at + 2), '"' | '#')) => {
                let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
                let end: String = format!("\"{}", "#".repeat(hashes));
                let rest: String = chars[at + 2 + hashes..].iter().collect();
                let length = rest.find(&end).map_or(rest.chars().count(), |byte| rest[..byte].chars().count());
                at += 2 + hashes + length + end.len();
            }
            '\'' if next(at + 1) == '\\' => {
                at += 3;
                at += chars[at..].iter().take_while(|c| **c != '\'').count() + 1;
            }
            '\'' if next(at + 2) == '\'' => at += 3,
            '\'' => at += 1 + chars[at + 1..].iter().take_while(|c| c.is_alphanumeric() || **c == '_').count(),
            ':' if next(at + 1) == ':' => {
                at += 2;
                tokens.push("::".to_owned());
            }
            c if c.is_alphanumeric() || c == '_' => {
                at += chars[at..].iter().take_while(|c| c.is_alphanumeric() || **c == '_').count();
                tokens.push(chars[start..at].iter().collect());
            }
            c => {
                at += 1;
                if !c.is_whitespace() {
                    tokens.push(c.to_string());
                }
            }
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circles_of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        circles(&imports(&files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()))
    }

    const ROOT: (&str, &str) = ("lib.rs", "pub mod floor;");

    #[test]
    fn files_that_import_each_other_are_a_circle() {
        let files = [
            ROOT,
            ("floor/mod.rs", "mod one;\nmod two;\nmod three;\n"),
            ("floor/one.rs", "use super::two::Two;\npub struct One(Two);\n"),
            ("floor/two.rs", "use std::fmt;\npub struct Two(Box<super::three::Three>);\n"),
            ("floor/three.rs", "use crate::floor::{one::One as First};\npub struct Three(First);\n"),
        ];
        assert_eq!(circles_of(&files), [["floor/one.rs", "floor/three.rs", "floor/two.rs"]]);
    }

    #[test]
    fn a_tree_without_circles_has_none() {
        let files = [
            ROOT,
            ("floor/mod.rs", "mod one;\nmod two;\npub use self::one::One;\npub use self::two::Two;\n"),
            ("floor/one.rs", "pub struct One;\n// use super::Two;\nconst TEXT: &str = \"super::Two\";\n"),
            (
                "floor/two.rs",
                "use super::One;\npub struct Two(One);\n#[cfg(test)]\nmod tests { use crate::floor::Two; }\n",
            ),
        ];
        assert_eq!(circles_of(&files), [[""; 0]; 0]);
    }

    #[test]
    fn a_re_export_leads_to_the_file_that_defines_the_item() {
        let files = [
            ROOT,
            ("floor/mod.rs", "mod one;\nmod two;\npub use self::one::One;\npub use self::two::{Two, make};\n"),
            ("floor/one.rs", "use super::make;\npub struct One;\n"),
            ("floor/two.rs", "pub struct Two;\npub fn make() -> super::One { super::One }\n"),
        ];
        assert_eq!(circles_of(&files), [["floor/one.rs", "floor/two.rs"]]);
    }

    #[test]
    fn what_a_folders_module_defines_makes_it_a_file_like_any_other() {
        let module = "mod one;\npub use self::one::One;\npub struct Whole";
        let one = ("floor/one.rs", "use super::Whole;\npub struct One;\nimpl Whole {}\n");
        assert_eq!(circles_of(&[ROOT, ("floor/mod.rs", &format!("{module};")), one]), [[""; 0]; 0]);
        assert_eq!(
            circles_of(&[ROOT, ("floor/mod.rs", &format!("{module}(One);")), one]),
            [["floor/mod.rs", "floor/one.rs"]]
        );
    }

    #[test]
    fn statements_that_both_backends_compile_are_files_of_their_own_folder() {
        let files = [
            ("lib.rs", "pub mod store;"),
            ("store/mod.rs", "pub mod sqlite;"),
            ("store/sqlite/mod.rs", "sql_modules!();"),
            ("store/postgres/mod.rs", "sql_modules!();"),
            ("store/sql/one.rs", "use super::two::Two;\npub struct One;\n"),
            ("store/sql/two.rs", "pub struct Two(super::one::One);\n"),
        ];
        assert_eq!(circles_of(&files), [["store/sql/one.rs", "store/sql/two.rs"]]);
    }
}
