//! The one reader of imports: which file of `src` names which others, on which line, and which floors a path enters.
//! Never fails on syntax that it does not know: such a line is no import.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{self, Binding, Source};

/// Files by their path below `src`, each with its text.
pub(super) type Tree = BTreeMap<String, String>;

/// Folders whose files are compiled once for each backend, as children of both modules (`sql_modules!`).
const SHARED: &str = "store/sql/";
const BACKENDS: [&str; 2] = ["sqlite", "postgres"];

/// A path of one file that leads into the tree.
#[derive(Debug, Clone)]
pub(super) struct Import {
    pub(super) line: usize,
    /// The path as the source writes it, without its braces.
    pub(super) path: String,
    /// Floors that the path enters, through re-exports of the file's own floor and of the crate too. What another floor
    /// re-exports is that floor's.
    pub(super) floors: BTreeSet<String>,
    /// Files that define or re-export what the path names.
    pub(super) files: BTreeSet<String>,
    /// Whether only tests are compiled with the import.
    pub(super) in_tests: bool,
}

/// Target of a path.
enum Target {
    Foreign,
    File(String),
    Module(Vec<String>),
}

/// What a path passes on its way.
#[derive(Default)]
struct Trail {
    own: Option<String>,
    floors: BTreeSet<String>,
    files: BTreeSet<String>,
    in_tests: bool,
    /// Whether the path went on from another floor than its own.
    left: bool,
}

struct House {
    sources: BTreeMap<String, Source>,
    modules: BTreeMap<Vec<String>, String>,
}

/// Returns each file with its imports.
pub(super) fn imports(tree: &Tree) -> BTreeMap<String, Vec<Import>> {
    let sources = tree.iter().map(|(path, text)| (path.clone(), source::read(text))).collect::<BTreeMap<_, _>>();
    let modules = sources.keys().flat_map(|path| module_paths(path).into_iter().map(|module| (module, path.clone())));
    let house = House { modules: modules.collect(), sources };
    let mut imports = BTreeMap::<_, Vec<_>>::new();
    for (module, file) in &house.modules {
        imports.entry(file.clone()).or_default().extend(house.imports_of(module, file));
    }
    imports
}

impl House {
    fn imports_of(&self, module: &[String], file: &str) -> Vec<Import> {
        let source = &self.sources[file];
        let named = source.bindings.iter().chain(&source.paths).map(|binding| (binding, false));
        let all = named.chain(source.globs.iter().map(|glob| (glob, true)));
        let import = |(binding, is_glob): (&Binding, bool)| {
            let in_tests = binding.in_tests || file.ends_with("_tests.rs");
            let mut trail = Trail { own: module.first().cloned(), in_tests, ..Trail::default() };
            match self.resolve(module, &binding.path, 0, &mut trail) {
                Target::File(target) => drop(trail.files.insert(target)),
                Target::Module(whole) => {
                    let target = &self.modules[&whole];
                    // A folder's own module is what it defines, not what it holds.
                    if !is_face(target) || (is_glob && !self.sources[target].items.is_empty()) {
                        trail.files.insert(target.clone());
                    }
                }
                Target::Foreign => {}
            }
            trail.files.remove(file);
            if binding.exported && is_face(file) {
                // What a folder's own module re-exports of its folder is what the folder holds.
                let folder = &file[..file.rfind('/').map_or(0, |end| end + 1)];
                trail.files.retain(|target| !shared_paths(target).iter().any(|path| path.starts_with(folder)));
            }
            let Trail { floors, files, .. } = trail;
            Import { line: binding.line, path: binding.path.join("::"), floors, files, in_tests }
        };
        all.map(import).filter(|import| !import.floors.is_empty() || !import.files.is_empty()).collect()
    }

    /// Follows a path from a module, through re-exports, to the file that defines its item.
    fn resolve(&self, from: &[String], path: &[String], depth: usize, trail: &mut Trail) -> Target {
        if depth > 20 {
            return Target::Foreign;
        }
        let mut module = from.to_vec();
        for (at, segment) in path.iter().enumerate() {
            let name = match segment.as_str() {
                // The path begins with the name of a crate.
                "::" => return Target::Foreign,
                "crate" => {
                    module.clear();
                    continue;
                }
                "self" => continue,
                "super" => {
                    module.pop();
                    continue;
                }
                name => name,
            };
            let child = [module.as_slice(), &[name.to_owned()]].concat();
            if self.modules.contains_key(&child) {
                if !trail.left {
                    trail.floors.insert(child[0].clone());
                }
                module = child;
                continue;
            }
            let Some(file) = self.modules.get(&module) else { return Target::Foreign };
            let source = &self.sources[file];
            if source.items.contains(name) {
                return Target::File(file.clone());
            }
            trail.left |= module.first().is_some_and(|floor| trail.own.as_ref() != Some(floor));
            let visible = |binding: &&Binding| trail.in_tests || !binding.in_tests;
            if let Some(binding) = source.bindings.iter().filter(visible).find(|binding| binding.name == name) {
                if binding.path.first() == path.first() && binding.path.len() == 1 {
                    return Target::Foreign;
                }
                if !is_face(file) {
                    trail.files.insert(file.clone());
                }
                let whole = [&binding.path, &path[at + 1..]].concat();
                return self.resolve(&module, &whole, depth + 1, trail);
            }
            let in_tests = trail.in_tests;
            for glob in source.globs.iter().filter(|glob| in_tests || !glob.in_tests) {
                let mut passed = Trail { own: trail.own.clone(), in_tests, left: trail.left, ..Trail::default() };
                if let Target::Module(whole) = self.resolve(&module, &glob.path, depth + 1, &mut passed)
                    && whole != module
                    && self.has(&whole, name)
                {
                    trail.floors.extend(passed.floors);
                    if !is_face(file) {
                        trail.files.insert(file.clone());
                    }
                    return self.resolve(&whole, &path[at..], depth + 1, trail);
                }
            }
            return if at == 0 { Target::Foreign } else { Target::File(file.clone()) };
        }
        if self.modules.contains_key(&module) { Target::Module(module) } else { Target::Foreign }
    }

    fn has(&self, module: &[String], name: &str) -> bool {
        let source = &self.sources[&self.modules[module]];
        source.items.contains(name)
            || source.bindings.iter().any(|binding| binding.name == name)
            || self.modules.contains_key(&[module, &[name.to_owned()]].concat())
    }
}

/// Whether a file is the module of a folder or of the crate, which re-exports what the folder holds.
fn is_face(file: &str) -> bool {
    file == "lib.rs" || file.ends_with("/mod.rs")
}

/// Paths below `src` at which a file is compiled: two for one that both backends compile.
fn shared_paths(file: &str) -> Vec<String> {
    match file.strip_prefix(SHARED) {
        Some(name) => BACKENDS.iter().map(|backend| format!("store/{backend}/{name}")).collect(),
        None => vec![file.to_owned()],
    }
}

/// Module paths of a file.
fn module_paths(file: &str) -> Vec<Vec<String>> {
    let module = |path: String| {
        let stem = path.trim_end_matches(".rs").trim_end_matches("/mod");
        // Tests in a file of their own are the child `tests` of the file that they test.
        let stem = stem.strip_suffix("_tests").map_or(stem.to_owned(), |tested| format!("{tested}/tests"));
        stem.split('/').map(str::to_owned).collect()
    };
    match file {
        "lib.rs" => vec![vec![]],
        // A crate of its own, which no file imports.
        "main.rs" => vec![],
        _ => shared_paths(file).into_iter().map(module).collect(),
    }
}
