//! One condition over a token and what is asked with it: the whole of it decides, its parts explain. Holds of nothing
//! that it can't be evaluated on.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::cel::{CelError, CelFailure, Fact, Facts, Names, Program};
use crate::base::FieldError;

/// A condition, compiled.
#[derive(Debug)]
pub(super) struct Condition {
    whole: Program,
    parts: Vec<Program>,
}

impl Condition {
    pub(super) fn compile(text: &str, names: &Names<'_>) -> Result<Self, CelError> {
        let whole = Program::compile(text, names)?;
        let parts = whole.conjuncts(names)?;
        Ok(Self { whole, parts })
    }

    pub(super) fn evaluate(&self, facts: &Facts<'_>) -> Result<bool, CelFailure> {
        self.whole.evaluate(facts)
    }

    pub(super) fn explain(&self, rule: usize, facts: &Facts<'_>) -> Vec<RulePart> {
        let part = |part: &Program| RulePart {
            rule,
            text: part.source().to_owned(),
            answer: part.evaluate(facts),
            values: part.values(facts),
        };
        self.parts.iter().map(part).collect()
    }
}

/// One part of a rule `a && b && c`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulePart {
    /// Which rule, from 1.
    pub rule: usize,
    /// As it is written.
    pub text: String,
    /// Is it true of this request?
    pub answer: Result<bool, CelFailure>,
    /// The names that it looks at, with their values as JSON.
    pub values: Vec<(String, Option<String>)>,
}

impl RulePart {
    /// The part, and which rule's it is.
    #[must_use]
    pub fn of_rule(&self) -> String {
        format!("rule {}: {}", self.rule, self.text)
    }

    /// What it found, in words.
    #[must_use]
    pub fn found(&self) -> String {
        let value = |(name, value): &(String, Option<String>)| {
            format!("{name} = {}", value.as_deref().unwrap_or("nothing: it is not there"))
        };
        let values = self.values.iter().map(value).collect::<Vec<_>>().join(", ");
        match self.answer {
            Ok(_) => values,
            Err(failure) => format!("no answer, {failure}: {values}"),
        }
    }
}

/// What a grant's condition is asked.
#[derive(Debug, Clone, Copy)]
pub struct GrantRequest<'a> {
    /// The provider whose token it is.
    pub provider: &'a str,
    /// What the token says.
    pub claims: &'a Map<String, Value>,
    /// `request.*`: at the token endpoint `audience` and `scopes`, at forward authentication `method`, `path` and
    /// `host`. What is absent is left out.
    pub request: &'a Map<String, Value>,
}

/// What may stand behind `request.` in a grant's condition.
const ASKED: [&str; 5] = ["audience", "host", "method", "path", "scopes"];

impl<'a> GrantRequest<'a> {
    fn facts(&self) -> Facts<'a> {
        Facts::from([
            ("identity.oidc.provider_name", Fact::Text(Cow::Borrowed(self.provider))),
            ("identity.oidc.claims", Fact::Object(self.claims)),
            ("request", Fact::Object(self.request)),
        ])
    }
}

/// The condition of a grant; without one it holds of every token of its provider.
#[derive(Debug)]
pub struct GrantCondition(Option<Condition>);

impl GrantCondition {
    /// Checks and compiles a condition.
    ///
    /// # Errors
    /// [`FieldError`] of the field `when`, with line and caret.
    pub fn new(when: Option<&str>) -> Result<Self, FieldError> {
        let Some(text) = when else { return Ok(Self(None)) };
        let (claims, request) = (json!({ "sub": "repo:acme/app" }), json!({ "path": "/acme/app" }));
        let none = Map::new();
        let example = GrantRequest {
            provider: "self",
            claims: claims.as_object().unwrap_or(&none),
            request: request.as_object().unwrap_or(&none),
        };
        let facts = example.facts();
        let condition = Condition::compile(text, &Names::like(facts.clone()))
            .map_err(|error| FieldError::new("when", error.to_string()))?;
        for (name, _) in condition.whole.values(&facts) {
            if let Some(asked) = name.strip_prefix("request.")
                && !ASKED.contains(&asked.split('.').next().unwrap_or_default())
            {
                let problem = format!("there is no {name}; of a request there are {}", ASKED.join(", "));
                return Err(FieldError::new("when", problem));
            }
        }
        Ok(Self(Some(condition)))
    }

    /// Does it hold?
    ///
    /// # Errors
    /// [`CelFailure`] where it gives no answer: then it does not.
    pub fn holds(&self, ask: &GrantRequest<'_>) -> Result<bool, CelFailure> {
        self.0.as_ref().map_or(Ok(true), |condition| condition.evaluate(&ask.facts()))
    }

    /// Every part of it, with its answer and what it looked at.
    #[must_use]
    pub fn explain(&self, ask: &GrantRequest<'_>) -> Vec<RulePart> {
        self.0.as_ref().map(|condition| condition.explain(1, &ask.facts())).unwrap_or_default()
    }
}
