//! A condition over a token and a request. The whole condition decides, its parts explain the decision. Never true if it
//! cannot be evaluated.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::cel::{CelError, CelFailure, Fact, Facts, Names, Program};
use crate::base::FieldError;

/// A compiled condition.
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

/// One part of a condition `a && b && c`, with its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulePart {
    /// Number of the rule, from 1.
    pub rule: usize,
    /// Source text of the part.
    pub text: String,
    /// Whether the part is true for the request.
    pub answer: Result<bool, CelFailure>,
    /// Variables that the part reads, with their values as JSON; `None` if absent.
    pub values: Vec<(String, Option<String>)>,
}

impl RulePart {
    /// Returns the number of the rule and the text of the part.
    #[must_use]
    pub fn of_rule(&self) -> String {
        format!("rule {}: {}", self.rule, self.text)
    }

    /// Describes the values that the part read, and why it has no result.
    #[must_use]
    pub fn found(&self) -> String {
        let value =
            |(name, value): &(String, Option<String>)| format!("{name} = {}", value.as_deref().unwrap_or("absent"));
        let values = self.values.iter().map(value).collect::<Vec<_>>().join(", ");
        match self.answer {
            Ok(_) => values,
            Err(failure) => format!("no result, {failure}: {values}"),
        }
    }
}

/// A verified token and the request that a grant's condition is evaluated on.
#[derive(Debug, Clone, Copy)]
pub struct GrantRequest<'a> {
    /// Name of the provider that issued the token.
    pub provider: &'a str,
    /// Claims of the token.
    pub claims: &'a Map<String, Value>,
    /// Members of `request`: `audience` and `scopes` at the token endpoint, `method`, `path` and `host` in forward
    /// authentication. Absent values have no member.
    pub request: &'a Map<String, Value>,
}

/// Members of `request` that a grant's condition may read.
const REQUEST_MEMBERS: [&str; 5] = ["audience", "host", "method", "path", "scopes"];

impl<'a> GrantRequest<'a> {
    fn facts(&self) -> Facts<'a> {
        Facts::from([
            ("identity.oidc.provider_name", Fact::Text(Cow::Borrowed(self.provider))),
            ("identity.oidc.claims", Fact::Object(self.claims)),
            ("request", Fact::Object(self.request)),
        ])
    }
}

/// The condition of a grant. Without one the grant applies to every token of its provider.
#[derive(Debug)]
pub struct GrantCondition(Option<Condition>);

impl GrantCondition {
    /// Checks and compiles a condition.
    ///
    /// # Errors
    /// [`FieldError`] of the field `when`, with the line and a caret under the mistake.
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
        let condition = Condition::compile(text, &Names::from_example(facts.clone()))
            .map_err(|error| FieldError::new("when", error.to_string()))?;
        for (name, _) in condition.whole.values(&facts) {
            if let Some(member) = name.strip_prefix("request.")
                && !REQUEST_MEMBERS.contains(&member.split('.').next().unwrap_or_default())
            {
                let problem = format!("unknown variable {name}; `request` has {}", REQUEST_MEMBERS.join(", "));
                return Err(FieldError::new("when", problem));
            }
        }
        Ok(Self(Some(condition)))
    }

    /// Returns whether the condition is true for the request.
    ///
    /// # Errors
    /// [`CelFailure`] if the condition cannot be evaluated. Callers must then deny the request.
    pub fn holds(&self, request: &GrantRequest<'_>) -> Result<bool, CelFailure> {
        self.0.as_ref().map_or(Ok(true), |condition| condition.evaluate(&request.facts()))
    }

    /// Returns every part of the condition, with its result and the values that it read.
    #[must_use]
    pub fn explain(&self, request: &GrantRequest<'_>) -> Vec<RulePart> {
        self.0.as_ref().map(|condition| condition.explain(1, &request.facts())).unwrap_or_default()
    }
}
