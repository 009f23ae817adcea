//! Measures a parsed condition and looks up the variables of the condition before it is evaluated. Never recurses; the
//! limits that are checked here make recursion safe for later steps.

use std::collections::{BTreeMap, BTreeSet};

use ::cel::common::ast::{CallExpr, ComprehensionExpr, Expr, LiteralValue, SourceInfo};
use ::cel::{IdedExpr, Program};
use regex::{Regex, RegexBuilder};

use super::error::CelError;
use super::facts::Names;
use super::tree::{children, descendants, dotted};

/// Maximum depth of a condition's syntax tree. The evaluator recurses once for each level of the tree.
pub(super) const DEPTH: usize = 100;
/// Maximum number of nodes in a condition's tree, including the nodes that macros add.
pub(super) const NODES: usize = 512;
/// Maximum number of loops (`all`, `exists`, `exists_one`, `filter`, `map`) in a condition. No loop may be nested in
/// another.
pub(super) const LOOPS: usize = 4;
/// Maximum number of nodes that a loop may evaluate: the number of elements times the number of nodes in the loop's
/// body.
pub(super) const LOOP_STEPS: usize = 8_192;
/// Maximum memory of one compiled pattern of `matches`, in bytes.
const PATTERN_BYTES: usize = 256 * 1_024;

/// The functions that conditions may call: the function's name, whether the function is called on a value (`x.size()`),
/// and the number of arguments besides that value.
const FUNCTIONS: [(&str, bool, usize); 10] = [
    ("contains", true, 1),
    ("endsWith", true, 1),
    ("int", false, 1),
    ("lowerAscii", true, 0),
    ("matches", true, 1),
    ("matches", false, 2),
    ("size", true, 0),
    ("size", false, 1),
    ("startsWith", true, 1),
    ("string", false, 1),
];
const FORMS: &str = "x.contains(s), x.endsWith(s), x.startsWith(s), x.matches('pattern'), x.lowerAscii(), size(x), \
                     int(x), string(x), has(m.key), l.all(x, …), l.exists(x, …), l.exists_one(x, …), \
                     l.filter(x, …), l.map(x, …)";

/// Patterns, keys and variables that were found in a condition's tree.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// Compiled patterns of `matches`, by the text of the pattern.
    pub(super) patterns: BTreeMap<String, Regex>,
    /// Every string literal and every part of a dotted name in the condition, since each may be the key of a map.
    pub(super) keys: BTreeSet<String>,
    /// Variables that the condition reads, each as the parts of its dotted name: `build`, `org` for `build.org`.
    pub(super) variables: BTreeSet<Vec<String>>,
}

/// A node of the tree that is still to be checked.
#[derive(Clone, Copy)]
struct Visit<'e> {
    node: &'e IdedExpr,
    depth: usize,
    /// Name that the loop around the node gives each element, if the node is in the loop's body.
    variable: Option<&'e str>,
    /// Whether the node is in the range or body of a loop.
    in_loop: bool,
}

/// Checks the whole tree of a condition.
///
/// # Errors
/// [`CelError`] at the first node that exceeds a limit, or that names an unknown variable or function.
pub(super) fn examine(program: &Program, names: &Names<'_>) -> Result<Shape, CelError> {
    let mut walk = Walk { info: program.source_info(), names, shape: Shape::default(), nodes: 0, loops: 0 };
    let mut pending = vec![Visit { node: program.expression(), depth: 1, variable: None, in_loop: false }];
    while let Some(visit) = pending.pop() {
        walk.count(visit.node, 1, visit.depth)?;
        walk.check(visit, &mut pending)?;
    }
    Ok(walk.shape)
}

struct Walk<'e, 'n> {
    info: &'e SourceInfo,
    names: &'n Names<'n>,
    shape: Shape,
    nodes: usize,
    loops: usize,
}

impl<'e> Walk<'e, '_> {
    fn error(&self, node: &IdedExpr, message: impl Into<String>) -> CelError {
        error_at(self.info, node, message)
    }

    fn count(&mut self, node: &IdedExpr, nodes: usize, depth: usize) -> Result<(), CelError> {
        self.nodes += nodes;
        if self.nodes > NODES {
            return Err(self.error(node, format!("has more than {NODES} parts; split it into several rules")));
        }
        if depth > DEPTH {
            return Err(self.error(node, format!("is more than {DEPTH} operations deep")));
        }
        Ok(())
    }

    /// Checks one node, and adds the node's children to `pending`.
    fn check(&mut self, visit: Visit<'e>, pending: &mut Vec<Visit<'e>>) -> Result<(), CelError> {
        let node = visit.node;
        match &node.expr {
            Expr::Unspecified => return Err(self.error(node, "is not a CEL expression")),
            Expr::Struct(_) => return Err(self.error(node, "creates a message; there are no message types")),
            Expr::Ident(_) => self.check_name(node, visit.variable, false)?,
            Expr::Select(select) => {
                self.shape.keys.insert(select.field.clone());
                if let Some((segments, _)) = dotted(node) {
                    // A dotted name is a single variable, though each part between the dots is a node.
                    let below = segments.len() - 1;
                    self.count(node, below, visit.depth + below)?;
                    self.shape.keys.extend(segments.into_iter().map(str::to_owned));
                    return self.check_name(node, visit.variable, select.test);
                }
            }
            Expr::Literal(LiteralValue::String(text)) => {
                self.shape.keys.insert(text.inner().to_owned());
            }
            Expr::Call(call) => self.check_call(node, call)?,
            Expr::Comprehension(comprehension) => {
                self.check_loop(visit, comprehension)?;
                let inner = Visit { depth: visit.depth + 1, in_loop: true, ..visit };
                let variable = Some(comprehension.iter_var.as_str());
                pending.extend([
                    Visit { node: &comprehension.result, variable, ..inner },
                    Visit { node: &comprehension.loop_step, variable, ..inner },
                    Visit { node: &comprehension.loop_cond, variable, ..inner },
                    Visit { node: &comprehension.accu_init, ..inner },
                    Visit { node: &comprehension.iter_range, ..inner },
                ]);
                return Ok(());
            }
            Expr::Literal(_) | Expr::List(_) | Expr::Map(_) => {}
        }
        // The last pending node is checked next, so the reversed order reports the first mistake in the text.
        let below = children(node).into_iter().rev();
        pending.extend(below.map(|node| Visit { node, depth: visit.depth + 1, ..visit }));
        Ok(())
    }

    /// Checks that a dotted name names a known variable. `variable` is the name that the enclosing loop gives its
    /// element. `tested` is true if the dotted name is the argument of `has()`.
    fn check_name(&mut self, node: &IdedExpr, variable: Option<&str>, tested: bool) -> Result<(), CelError> {
        let Some((segments, first)) = dotted(node) else { return Ok(()) };
        let root = segments.first().copied().unwrap_or_default();
        // `@result` is the evaluator's own variable for the result of a loop; no condition can name it.
        if variable.is_some_and(|variable| variable == root) || root == "@result" {
            return Ok(());
        }
        let name = segments.join(".");
        match self.names.prefix(&segments) {
            Some(length) if tested && length == segments.len() => {
                let message = format!("has({name}) is always true; a variable without a value equals ''");
                Err(self.error(node, message))
            }
            Some(_) => {
                self.shape.variables.insert(segments.iter().map(|segment| (*segment).to_owned()).collect());
                Ok(())
            }
            None if is_partial(&segments, self.names) => {
                Err(self.error(first, format!("{name} is not a value; choose one of {}", self.names.known(root))))
            }
            None => {
                Err(self.error(first, format!("unknown variable {name}; choose one of {}", self.names.known(root))))
            }
        }
    }

    fn check_call(&mut self, node: &IdedExpr, call: &CallExpr) -> Result<(), CelError> {
        // Operators are calls of functions with names that no identifier can have, such as `_&&_`.
        if call.func_name.contains(|character: char| !character.is_ascii_alphanumeric() && character != '.') {
            return Ok(());
        }
        let (name, member) = (call.func_name.as_str(), call.target.is_some());
        let known = |arguments: Option<usize>| {
            FUNCTIONS.into_iter().any(|(known, on_value, count)| {
                known == name && on_value == member && arguments.is_none_or(|arguments| arguments == count)
            })
        };
        if !known(Some(call.args.len())) {
            let message = if known(None) {
                format!("wrong number of arguments of {name}(); the functions are {FORMS}")
            } else {
                format!("unknown function {name}(); the functions are {FORMS}")
            };
            return Err(self.error(node, message));
        }
        if name == "matches" {
            self.compile_pattern(node, call)?;
        }
        Ok(())
    }

    fn compile_pattern(&mut self, node: &IdedExpr, call: &CallExpr) -> Result<(), CelError> {
        let literal = call.args.last().map(|pattern| &pattern.expr);
        let Some(Expr::Literal(LiteralValue::String(pattern))) = literal else {
            return Err(self.error(node, "the pattern of matches() must be a string literal"));
        };
        let compiled =
            RegexBuilder::new(pattern.inner()).size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES).build();
        match compiled {
            Ok(compiled) => {
                self.shape.patterns.insert(pattern.inner().to_owned(), compiled);
                Ok(())
            }
            Err(regex::Error::CompiledTooBig(_)) => Err(self.error(node, "the pattern is too large when compiled")),
            Err(error) => {
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
                Err(self.error(node, format!("invalid pattern: {reason}")))
            }
        }
    }

    fn check_loop(&mut self, visit: Visit<'_>, comprehension: &ComprehensionExpr) -> Result<(), CelError> {
        self.loops += 1;
        if visit.in_loop {
            return Err(self.error(visit.node, "has a loop within a loop, or over the result of a loop"));
        }
        if self.loops > LOOPS {
            return Err(self.error(visit.node, format!("has more than {LOOPS} loops")));
        }
        if self.names.has_root(&comprehension.iter_var) {
            let message = format!("a loop must not name its element {}", comprehension.iter_var);
            return Err(self.error(visit.node, message));
        }
        let elements: usize = descendants(&comprehension.iter_range)
            .map(|node| if matches!(node.expr, Expr::Select(_)) { self.names.max_entries() } else { 1 })
            .sum();
        let body = descendants(&comprehension.loop_step).count();
        if elements * body > LOOP_STEPS {
            return Err(self.error(visit.node, format!("a loop could take more than {LOOP_STEPS} operations")));
        }
        Ok(())
    }
}

/// Whether the name is only the beginning of a variable's name, as `build` is of `build.org`.
fn is_partial(segments: &[&str], names: &Names<'_>) -> bool {
    segments.len() == 1 && segments.first().is_some_and(|segment| names.has_root(segment))
}

/// Creates an error at the place of the node in the condition's text.
pub(super) fn error_at(info: &SourceInfo, node: &IdedExpr, message: impl Into<String>) -> CelError {
    let offset = info.offset_for(node.id).map_or(0, |(start, _)| start);
    CelError::at(&info.source, usize::try_from(offset).unwrap_or(usize::MAX), message)
}
