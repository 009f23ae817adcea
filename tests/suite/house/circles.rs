//! Import circles among the files of `src`: which of them import each other. Reads no source: `imports` does.

use std::collections::{BTreeMap, BTreeSet};

use super::imports::Import;

/// Each file with the files that it imports, each with the line of the first import. Tests are not counted.
pub(super) type Graph = BTreeMap<String, BTreeMap<String, usize>>;

/// Returns which file imports which.
pub(super) fn graph(imports: &BTreeMap<String, Vec<Import>>) -> Graph {
    let mut graph = Graph::new();
    for (file, imports) in imports {
        let targets = graph.entry(file.clone()).or_default();
        for import in imports.iter().filter(|import| !import.in_tests) {
            for target in &import.files {
                let line = targets.entry(target.clone()).or_insert(import.line);
                *line = import.line.min(*line);
            }
        }
    }
    graph
}

/// Returns the circles: files that import each other, directly or through others, each sorted.
pub(super) fn circles(graph: &Graph) -> Vec<Vec<String>> {
    let reach = |from: &String| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(file) = open.pop() {
            open.extend(
                graph.get(file).into_iter().flat_map(BTreeMap::keys).filter(|next| seen.insert((*next).clone())),
            );
        }
        seen
    };
    let reached: BTreeMap<&String, BTreeSet<String>> = graph.keys().map(|file| (file, reach(file))).collect();
    let mut circles = BTreeSet::new();
    for (file, seen) in &reached {
        if seen.contains(*file) {
            circles.insert(seen.iter().filter(|other| reached[*other].contains(*file)).cloned().collect::<Vec<_>>());
        }
    }
    circles.into_iter().collect()
}

/// Describes a circle: each import within the circle, with file and line.
pub(super) fn describe(circle: &[String], graph: &Graph) -> String {
    let within = |file: &String| {
        let others = graph[file].iter().filter(|(other, _)| circle.contains(other));
        others.map(|(other, line)| format!("  src/{file}:{line} imports src/{other}\n")).collect::<String>()
    };
    format!("{} files\n{}", circle.len(), circle.iter().map(within).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::super::imports::imports;
    use super::*;

    fn circles_of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        circles(&graph_of(files))
    }

    fn graph_of(files: &[(&str, &str)]) -> Graph {
        let tree = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        graph(&imports(&tree))
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

    #[test]
    fn re_exports_under_other_names_are_a_circle_outside_a_folders_own_module() {
        let root = ("floor/mod.rs", "mod one;\nmod two;\npub use one::Two as First;\npub use two::One as Second;\n");
        let one = ("floor/one.rs", "pub use super::two::Two as Other;\npub struct One;\n");
        let two = ("floor/two.rs", "pub struct Two;\npub(crate) use super::one::One as Another;\n");
        let files = [ROOT, root, one, two];
        assert_eq!(circles_of(&files), [["floor/one.rs", "floor/two.rs"]]);
        let graph = graph_of(&files);
        assert_eq!(
            describe(&circles(&graph)[0], &graph),
            "2 files\n  src/floor/one.rs:1 imports src/floor/two.rs\n  src/floor/two.rs:2 imports src/floor/one.rs\n"
        );
        let through = ("floor/two.rs", "pub struct Two;\nfn f(_: super::one::Other) {}\n");
        assert_eq!(circles_of(&[ROOT, root, one, through]), [["floor/one.rs", "floor/two.rs"]], "through a re-export");
    }

    #[test]
    fn code_after_a_module_of_tests_is_read() {
        let files = [
            ROOT,
            ("floor/mod.rs", "mod one;\nmod two;\n"),
            ("floor/one.rs", "#[cfg(test)]\nmod tests {}\npub struct One(super::two::Two);\n"),
            ("floor/two.rs", "mod inner { pub use super::super::one::One; }\npub struct Two;\n"),
        ];
        assert_eq!(circles_of(&files), [["floor/one.rs", "floor/two.rs"]]);
    }
}
