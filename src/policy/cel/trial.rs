//! Evaluates every part of a condition on an example when the condition is compiled, so that a type error is found then
//! and not when a token is requested. Reports only mistakes that occur whatever values the variables have.

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

/// The example values on which a condition is evaluated when it is compiled. Each map of strings has every key that the
/// condition could read, because the keys of real maps are not known yet.
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
            // The members of an object have unknown types, so every member counts as absent.
            Fact::Object(_) => Some(text_map(std::iter::empty())),
            fact => Some(fact.value()),
        }
    }
}

/// Evaluates a condition's parts, from the innermost outwards. `context` holds the example.
///
/// # Errors
/// [`CelError`] at the innermost part that can never have a value, or if the condition's result is not a boolean.
pub(super) fn evaluate_parts(info: &SourceInfo, root: &IdedExpr, context: &Context<'_, '_>) -> Result<(), CelError> {
    evaluate_part(info, root, context)?;
    match Value::resolve(root, context) {
        Ok(Value::Bool(_)) | Err(_) => Ok(()),
        Ok(other) => Err(error_at(info, root, format!("must be true or false, but is {}", kind(&other)))),
    }
}

/// Evaluates one part of a condition and the parts within it. Recurses as deep as the condition's tree, whose depth was
/// checked before.
fn evaluate_part(info: &SourceInfo, node: &IdedExpr, context: &Context<'_, '_>) -> Result<(), CelError> {
    match &node.expr {
        Expr::Comprehension(comprehension) => evaluate_loop(info, comprehension, context)?,
        _ => {
            for child in children(node) {
                // The parts of a dotted name have no values by themselves.
                if dotted(child).is_none() {
                    evaluate_part(info, child, context)?;
                }
            }
        }
    }
    if let Expr::Call(call) = &node.expr {
        let arguments: Vec<Option<Value>> =
            call.args.iter().map(|argument| Value::resolve(argument, context).ok()).collect();
        if let Some(message) = operand_mistake(call, &arguments) {
            return Err(error_at(info, node, message));
        }
    }
    match Value::resolve(node, context) {
        Err(error) => type_error(&error).map_or(Ok(()), |message| Err(error_at(info, node, message))),
        Ok(_) => Ok(()),
    }
}

/// Evaluates the range of a loop, and the body of the loop on the first element.
fn evaluate_loop(
    info: &SourceInfo,
    comprehension: &ComprehensionExpr,
    context: &Context<'_, '_>,
) -> Result<(), CelError> {
    evaluate_part(info, &comprehension.iter_range, context)?;
    let first = match Value::resolve(&comprehension.iter_range, context) {
        Ok(Value::List(elements)) => elements.first().cloned(),
        Ok(Value::Map(map)) => map.map.keys().next().map(Value::from),
        _ => None,
    };
    let (Some(first), Ok(accumulator)) = (first, Value::resolve(&comprehension.accu_init, context)) else {
        return Ok(());
    };
    let mut inner = context.new_inner_scope();
    inner.add_variable_from_value(comprehension.iter_var.as_str(), first);
    inner.add_variable_from_value(comprehension.accu_var.as_str(), accumulator);
    evaluate_part(info, &comprehension.loop_step, &inner)
}

/// Returns the error text for operands that the evaluator accepts but that are always a mistake: a number under `&&`,
/// or a comparison of two types.
fn operand_mistake(call: &CallExpr, arguments: &[Option<Value>]) -> Option<String> {
    let operator = operator_text(&call.func_name);
    match call.func_name.as_str() {
        operators::LOGICAL_AND | operators::LOGICAL_OR => {
            let other = arguments.iter().flatten().find(|value| !matches!(value, Value::Bool(_)))?;
            Some(format!("{operator} requires true or false, not {}", kind(other)))
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
            Some(format!("{wanted} is never in a collection of {foreign}"))
        }
        _ => None,
    }
}

/// Returns the error's text if the condition fails for all values, as with a wrong type. Returns `None` if the error
/// depends on the values, as with a division by zero.
fn type_error(error: &ExecutionError) -> Option<String> {
    match error {
        ExecutionError::NoSuchOverload(overload) => {
            let types = overload.argument_types().join(", ");
            Some(format!("{} does not accept ({types})", operator_text(overload.function())))
        }
        ExecutionError::UnsupportedBinaryOperator(operator, left, right) => {
            Some(format!("{} does not accept {} and {}", arithmetic_sign(operator), kind(left), kind(right)))
        }
        ExecutionError::DuplicateKey(_) => Some("duplicate key in a map".to_owned()),
        ExecutionError::UnexpectedType { .. }
        | ExecutionError::UnsupportedTargetType { .. }
        | ExecutionError::NotSupportedAsMethod { .. }
        | ExecutionError::UnsupportedKeyType(_)
        | ExecutionError::ValuesNotComparable(..)
        | ExecutionError::UnsupportedIndex(..) => Some("a value has the wrong type".to_owned()),
        ExecutionError::UndeclaredReference(name) => Some(format!("unknown variable {name}")),
        ExecutionError::InvalidArgumentCount { .. } | ExecutionError::MissingArgumentOrTarget => {
            Some("wrong number of arguments".to_owned())
        }
        _ => None,
    }
}

/// Returns an operator as conditions write it: `>` for the function `_>_`.
fn operator_text(function: &str) -> String {
    match function {
        operators::IN => "in".to_owned(),
        other => other.replace('_', ""),
    }
}

/// Returns the sign of an arithmetic operator by the evaluator's word for the operator: `+` for `add`.
fn arithmetic_sign(word: &str) -> &str {
    match word {
        "add" => "+",
        "sub" => "-",
        "mul" => "*",
        "div" => "/",
        "rem" => "%",
        other => other,
    }
}

/// Returns the type of a value in words. All numbers count as the same type.
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
