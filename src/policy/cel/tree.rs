//! Walks through the tree of a parsed condition. Never recurses, and never rejects a node.

use ::cel::IdedExpr;
use ::cel::common::ast::{EntryExpr, Expr};

/// Returns the children of a node.
pub(super) fn children(node: &IdedExpr) -> Vec<&IdedExpr> {
    match &node.expr {
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => Vec::new(),
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).collect(),
        Expr::Comprehension(comprehension) => vec![
            &comprehension.iter_range,
            &comprehension.accu_init,
            &comprehension.loop_cond,
            &comprehension.loop_step,
            &comprehension.result,
        ],
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => entries(&map.entries).collect(),
        Expr::Select(select) => vec![&select.operand],
        Expr::Struct(message) => entries(&message.entries).collect(),
    }
}

fn entries(entries: &[::cel::common::ast::IdedEntryExpr]) -> impl Iterator<Item = &IdedExpr> {
    entries.iter().flat_map(|entry| match &entry.expr {
        EntryExpr::StructField(field) => vec![&field.value],
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
    })
}

/// Returns `node` and all nodes below `node`.
pub(super) fn descendants(node: &IdedExpr) -> impl Iterator<Item = &IdedExpr> {
    let mut pending = vec![node];
    std::iter::from_fn(move || {
        let node = pending.pop()?;
        pending.extend(children(node));
        Some(node)
    })
}

/// Returns the parts of a dotted name such as `a.b`, from the left, with the node of the first part. `has(a.b)` counts
/// as `a.b`; returns `None` for any other node.
pub(super) fn dotted(node: &IdedExpr) -> Option<(Vec<&str>, &IdedExpr)> {
    let mut segments = Vec::new();
    let mut node = node;
    loop {
        match &node.expr {
            Expr::Ident(name) => {
                segments.push(name.as_str());
                segments.reverse();
                return Some((segments, node));
            }
            Expr::Select(select) => {
                segments.push(select.field.as_str());
                node = &select.operand;
            }
            _ => return None,
        }
    }
}
