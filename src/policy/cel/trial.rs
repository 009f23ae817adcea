//! Tries every part of a condition on an example, so that a mistake in a type is found when it is loaded and not
//! when a token is asked for. Reports only what is wrong whatever the values are.

use std::collections::BTreeSet;

use ::cel::common::ast::{CallExpr, ComprehensionExpr, Expr, SourceInfo, operators};
use ::cel::common::value::CowVal;
use ::cel::context::VariableResolver;
use ::cel::{Context, ExecutionError, IdedExpr, Value};

use super::error::CelError;
use super::facts::text_map;
use super::facts::{Fact, Names};
use super::shape::error_at;
use super::tree::{children, dotted};

/// The example, with maps that hold every key that the condition could ask for: which keys there will be, an example
/// can't know.
pub(super) struct Example<'a> {
    names: &'a Names<'a>,
    keys: &'a BTreeSet<String>,
}

impl<'a> Example<'a> {
    pub(super) const fn new(names: &'a Names<'a>, keys: &'a BTreeSet<String>) -> Self {
        Self { names, keys }
    }
}

impl VariableResolver for Example<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        match self.names.example().find(variable)? {
            Fact::TextMap(map) => {
                let known = map.iter().map(|(key, text)| (key.as_str(), text.as_str()));
                Some(text_map(self.keys.iter().map(|key| (key.as_str(), "")).chain(known)))
            }
            // Whatever is asked of it has an unknown type, and is met as a key that is not there.
            Fact::Object(_) => Some(text_map(std::iter::empty())),
            fact => Some(fact.value()),
        }
    }
}

/// Tries the condition from its innermost parts outwards; `context` holds the example.
///
/// # Errors
/// [`CelError`] at the innermost part that can never work, and where the whole is not true or false.
pub(super) fn attempt(info: &SourceInfo, root: &IdedExpr, context: &Context<'_, '_>) -> Result<(), CelError> {
    part(info, root, context)?;
    match Value::resolve(root, context) {
        Ok(Value::Bool(_)) | Err(_) => Ok(()),
        Ok(other) => Err(error_at(info, root, format!("must be true or false, and is {}", kind(&other)))),
    }
}

/// Recurses at most as deep as the tree, which was measured.
fn part(info: &SourceInfo, node: &IdedExpr, context: &Context<'_, '_>) -> Result<(), CelError> {
    match &node.expr {
        Expr::Comprehension(comprehension) => loop_parts(info, comprehension, context)?,
        _ => {
            for child in children(node) {
                // A name's segments are no values of their own.
                if dotted(child).is_none() {
                    part(info, child, context)?;
                }
            }
        }
    }
    if let Expr::Call(call) = &node.expr {
        let arguments: Vec<Option<Value>> =
            call.args.iter().map(|argument| Value::resolve(argument, context).ok()).collect();
        if let Some(message) = useless(call, &arguments) {
            return Err(error_at(info, node, message));
        }
    }
    match Value::resolve(node, context) {
        Err(error) => mistake(&error).map_or(Ok(()), |message| Err(error_at(info, node, message))),
        Ok(_) => Ok(()),
    }
}

/// Tries a loop's range, and its body on the first element.
fn loop_parts(info: &SourceInfo, comprehension: &ComprehensionExpr, context: &Context<'_, '_>) -> Result<(), CelError> {
    part(info, &comprehension.iter_range, context)?;
    let first = match Value::resolve(&comprehension.iter_range, context) {
        Ok(Value::List(elements)) => elements.first().cloned(),
        Ok(Value::Map(map)) => map.map.keys().next().map(Value::from),
        _ => None,
    };
    let (Some(first), Ok(gathered)) = (first, Value::resolve(&comprehension.accu_init, context)) else {
        return Ok(());
    };
    let mut inner = context.new_inner_scope();
    inner.add_variable_from_value(comprehension.iter_var.as_str(), first);
    inner.add_variable_from_value(comprehension.accu_var.as_str(), gathered);
    part(info, &comprehension.loop_step, &inner)
}

/// What an operator makes of these arguments without an error, and what nobody can have meant: a number under `&&`
/// counts as unknown there, and values of two kinds are never equal.
fn useless(call: &CallExpr, arguments: &[Option<Value>]) -> Option<String> {
    let shown = shown(&call.func_name);
    match call.func_name.as_str() {
        operators::LOGICAL_AND | operators::LOGICAL_OR => {
            let other = arguments.iter().flatten().find(|value| !matches!(value, Value::Bool(_)))?;
            Some(format!("{shown} takes true or false, and not {}", kind(other)))
        }
        operators::EQUALS | operators::NOT_EQUALS => {
            let [Some(left), Some(right)] = arguments else { return None };
            let (left, right) = (kind(left), kind(right));
            (left != right).then(|| format!("{left} is never equal to {right}"))
        }
        operators::IN => {
            let [Some(element), Some(container)] = arguments else { return None };
            let kinds: Vec<&str> = match container {
                Value::List(elements) => elements.iter().map(kind).collect(),
                Value::Map(map) => map.map.keys().map(|key| kind(&Value::from(key))).collect(),
                _ => return None,
            };
            let wanted = kind(element);
            let foreign = kinds.first().filter(|_| !kinds.contains(&wanted))?;
            Some(format!("{wanted} is never among what holds {foreign}"))
        }
        _ => None,
    }
}

/// The text for an error that no other values would spare; nothing where they might.
fn mistake(error: &ExecutionError) -> Option<String> {
    match error {
        ExecutionError::NoSuchOverload(overload) => {
            let types = overload.argument_types().join(", ");
            Some(format!("{} can't take ({types})", shown(overload.function())))
        }
        ExecutionError::UnsupportedBinaryOperator(operator, left, right) => {
            Some(format!("{} can't take {} and {}", sign(operator), kind(left), kind(right)))
        }
        ExecutionError::DuplicateKey(_) => Some("a map's key is written twice".to_owned()),
        ExecutionError::UnexpectedType { .. }
        | ExecutionError::UnsupportedTargetType { .. }
        | ExecutionError::NotSupportedAsMethod { .. }
        | ExecutionError::UnsupportedKeyType(_)
        | ExecutionError::ValuesNotComparable(..)
        | ExecutionError::UnsupportedIndex(..) => Some("a value has a type that can't stand here".to_owned()),
        ExecutionError::UndeclaredReference(name) => Some(format!("there is no {name}")),
        ExecutionError::InvalidArgumentCount { .. } | ExecutionError::MissingArgumentOrTarget => {
            Some("has another number of arguments than it takes".to_owned())
        }
        _ => None,
    }
}

/// An operator as it is written: `>` for `_>_`.
fn shown(function: &str) -> String {
    match function {
        operators::IN => "in".to_owned(),
        other => other.replace('_', ""),
    }
}

/// The sign of an arithmetic operator that the evaluator calls by a word.
fn sign(word: &str) -> &str {
    match word {
        "add" => "+",
        "sub" => "-",
        "mul" => "*",
        "div" => "/",
        "rem" => "%",
        other => other,
    }
}

/// A value's kind in words, all numbers alike.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "true or false",
        Value::Int(_) | Value::UInt(_) | Value::Float(_) => "a number",
        Value::String(_) => "a string",
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
        Value::Null => "null",
        _ => "another kind of value",
    }
}
