//! A condition that passed every check, ready to be evaluated. Only exactly `true` lets anything through.

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
use super::trial::{Example, attempt};

/// CEL's own functions, without its optional values, and `lowerAscii`.
static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut environment = Env::stdlib().with_optional_support(false);
    // The whole extension that this function belongs to can multiply strings.
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

/// A condition in CEL.
///
/// It was checked when it was compiled: at most 4 KiB of text, 100 operations deep, 512 nodes and four loops, none
/// within another; every name and function is known, every pattern compiled, and no part has a type that can't work.
pub struct Program {
    source: String,
    program: ::cel::Program,
    patterns: Arc<BTreeMap<String, Regex>>,
    mentioned: BTreeSet<Vec<String>>,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Program").field(&self.source).finish()
    }
}

impl Program {
    /// Parses and checks a condition over these names.
    ///
    /// # Errors
    /// [`CelError`] at the first mistake: the text is no CEL, passes a bound, names what there is not, or could never
    /// be true or false.
    pub fn compile(source: &str, names: &Names<'_>) -> Result<Self, CelError> {
        scan(source)?;
        let program = ENVIRONMENT.compile(source).map_err(|errors| CelError::syntax(source, &errors))?;
        let shape = examine(&program, names)?;
        let (patterns, mentioned) = (Arc::new(shape.patterns), shape.mentioned);
        let program = Self { source: source.to_owned(), program, patterns, mentioned };
        let example = Example::new(names, &shape.keys);
        let mut context = program.context();
        context.set_variable_resolver(&example);
        attempt(program.program.source_info(), program.program.expression(), &context)?;
        drop(context);
        Ok(program)
    }

    /// Is the condition true of these facts? They are to have the names and kinds that it was compiled for.
    ///
    /// # Errors
    /// [`CelFailure`] where it is neither true nor false of them.
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

    /// The condition as it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The dotted names that the condition looks at, each with its value among these facts as JSON; `None` where there
    /// is none.
    #[must_use]
    pub fn values(&self, facts: &Facts<'_>) -> Vec<(String, Option<String>)> {
        self.mentioned.iter().map(|segments| (segments.join("."), facts.shown(segments))).collect()
    }

    /// The parts of the condition, where it is a conjunction `a && b && c`; else itself alone.
    ///
    /// # Errors
    /// [`CelError`] where a part by itself is no condition over these names.
    pub fn conjuncts(&self, names: &Names<'_>) -> Result<Vec<Self>, CelError> {
        conjuncts(&self.source).iter().map(|part| Self::compile(part, names)).collect()
    }

    /// A context with our `matches`, whose patterns were compiled with the condition.
    fn context<'v>(&self) -> Context<'static, 'v> {
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        if !self.patterns.is_empty() {
            let patterns = Arc::clone(&self.patterns);
            let matches = move |This(text): This<Arc<String>>, pattern: Arc<String>| {
                let pattern = patterns.get(pattern.as_str());
                pattern
                    .map(|pattern| Value::Bool(pattern.is_match(&text)))
                    .ok_or_else(|| ExecutionError::function_error("matches", "a pattern that was not compiled"))
            };
            let added = context.add_function("matches", matches);
            debug_assert!(added.is_ok(), "the crate is built without its own matches");
        }
        context
    }
}
