//! A compiled condition that passed every check. A condition never counts as true unless the result is exactly `true`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, LazyLock};

use ::cel::common::types::{CelString, STRING_TYPE};
use ::cel::common::value::CowVal;
use ::cel::extractors::This;
use ::cel::{Context, Env, ExecutionError, Value};
use regex::Regex;

use super::error::{CelError, CelFailure};
use super::facts::{Facts, Names};
use super::scan::{conjuncts, scan};
use super::shape::examine;
use super::trial::{Example, evaluate_parts};

/// The functions that the evaluator knows: CEL's standard functions without optional values, and `lowerAscii`.
static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut environment = Env::stdlib().with_optional_support(false);
    // The extension of CEL with `lowerAscii` also has functions that can multiply strings, so `lowerAscii` alone is
    // added.
    let added =
        environment.add_member_overload("lowerAscii", "string_lower_ascii", STRING_TYPE, Vec::new(), lower_ascii);
    debug_assert!(added.is_ok(), "the standard library has no such function");
    Arc::new(environment)
});

fn lower_ascii<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let text = arguments.first().and_then(|value| value.downcast_ref::<CelString>());
    let text = text.ok_or_else(|| ExecutionError::function_error("lowerAscii", "takes a string"))?;
    Ok(CowVal::owned(CelString::from(text.inner().to_ascii_lowercase())))
}

/// A compiled condition in CEL.
///
/// The limits were checked when the condition was compiled: at most 4 KiB of text, 100 operations deep, 512 nodes, and
/// four loops without nesting. Every variable and function is known, every pattern is compiled, and no operator
/// or function gets a type of value that it does not accept, as far as the types are known.
pub struct Program {
    source: String,
    program: ::cel::Program,
    patterns: Arc<BTreeMap<String, Regex>>,
    variables: BTreeSet<Vec<String>>,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Program").field(&self.source).finish()
    }
}

impl Program {
    /// Parses and checks the condition `source`, which may read the variables `names`.
    ///
    /// # Errors
    /// [`CelError`] at the first mistake: the text is not CEL, exceeds a limit, names an unknown variable or function,
    /// or has a result that is not a boolean.
    pub fn compile(source: &str, names: &Names<'_>) -> Result<Self, CelError> {
        scan(source)?;
        let program = ENVIRONMENT.compile(source).map_err(|errors| CelError::syntax(source, &errors))?;
        let shape = examine(&program, names)?;
        let (patterns, variables) = (Arc::new(shape.patterns), shape.variables);
        let program = Self { source: source.to_owned(), program, patterns, variables };
        let example = Example::new(names, &shape.keys);
        let mut context = program.context();
        context.set_variable_resolver(&example);
        evaluate_parts(program.program.source_info(), program.program.expression(), &context)?;
        drop(context);
        Ok(program)
    }

    /// Returns whether the condition is true for `facts`, whose names and types must be those with which the condition
    /// was compiled.
    ///
    /// # Errors
    /// [`CelFailure`] if the condition cannot be evaluated to true or false.
    pub fn evaluate(&self, facts: &Facts<'_>) -> Result<bool, CelFailure> {
        if facts.are_oversized() {
            return Err(CelFailure::TooLarge);
        }
        let mut context = self.context();
        context.set_variable_resolver(facts);
        match self.program.execute(&context)? {
            Value::Bool(answer) => Ok(answer),
            _ => Err(CelFailure::NotBoolean),
        }
    }

    /// Returns the source text of the condition.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns each variable that the condition reads, with the variable's value as JSON; `None` if there is no value.
    #[must_use]
    pub fn values(&self, facts: &Facts<'_>) -> Vec<(String, Option<String>)> {
        self.variables.iter().map(|segments| (segments.join("."), facts.to_json(segments))).collect()
    }

    /// Splits a condition `a && b && c` into the conditions `a`, `b` and `c`. Any other condition is returned whole.
    ///
    /// # Errors
    /// [`CelError`] if a part is not a valid condition by itself.
    pub fn conjuncts(&self, names: &Names<'_>) -> Result<Vec<Self>, CelError> {
        conjuncts(&self.source).iter().map(|part| Self::compile(part, names)).collect()
    }

    /// Creates an evaluation context, in which `matches` uses the patterns that were compiled with the condition.
    fn context<'v>(&self) -> Context<'static, 'v> {
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        if !self.patterns.is_empty() {
            let patterns = Arc::clone(&self.patterns);
            let matches = move |This(text): This<Arc<String>>, pattern: Arc<String>| {
                let pattern = patterns.get(pattern.as_str());
                pattern
                    .map(|pattern| Value::Bool(pattern.is_match(&text)))
                    .ok_or_else(|| ExecutionError::function_error("matches", "the pattern was not compiled"))
            };
            let added = context.add_function("matches", matches);
            debug_assert!(added.is_ok(), "the crate is built without its own matches");
        }
        context
    }
}
