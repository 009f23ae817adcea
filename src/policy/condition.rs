//! Conditions on a verified token and a request, as access policies and grants have them. The whole condition decides,
//! and the parts of the condition explain the decision. A condition that cannot be evaluated never counts as true.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::cel::{CelError, CelFailure, Fact, Facts, Names, Program};
use crate::base::FieldError;

/// A compiled condition of an access policy or a grant.
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

/// One part of a condition `a && b && c`, with the part's result for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulePart {
    /// Number of the rule that has the condition, from 1.
    pub rule: usize,
    /// Text of the part, as written in the condition.
    pub text: String,
    /// Whether the part is true for the request.
    pub answer: Result<bool, CelFailure>,
    /// Each variable that the part reads, with the variable's value as JSON; `None` if there is no value.
    pub values: Vec<(String, Option<String>)>,
}

impl RulePart {
    /// Returns the rule's number and the part's text, such as `rule 1: a`.
    #[must_use]
    pub fn of_rule(&self) -> String {
        format!("rule {}: {}", self.rule, self.text)
    }

    /// Describes the values that the part read. If the part could not be evaluated, also says why.
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

/// A verified token and the request on which a grant's condition is evaluated.
#[derive(Debug, Clone, Copy)]
pub struct GrantRequest<'a> {
    /// Name of the provider that issued the token.
    pub provider: &'a str,
    /// Claims of the verified token.
    pub claims: &'a Map<String, Value>,
    /// Members of the variable `request`: `audience` and `scopes` at the token endpoint, `method`, `path` and `host` in
    /// forward authentication. A value that the request lacks has no member.
    pub request: &'a Map<String, Value>,
}

/// Members of the variable `request` that a grant's condition may read.
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

/// The condition of a grant. A grant without a condition applies to every token of the grant's provider.
#[derive(Debug)]
pub struct GrantCondition(Option<Condition>);

impl GrantCondition {
    /// Checks and compiles the condition `when` of a grant.
    ///
    /// # Errors
    /// [`FieldError`] for the field `when`, with the line and a caret under the mistake.
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
    /// [`CelFailure`] if the condition cannot be evaluated. The request must then be denied.
    pub fn holds(&self, request: &GrantRequest<'_>) -> Result<bool, CelFailure> {
        self.0.as_ref().map_or(Ok(true), |condition| condition.evaluate(&request.facts()))
    }

    /// Returns every part of the condition, with the part's result and the values that the part read.
    #[must_use]
    pub fn explain(&self, request: &GrantRequest<'_>) -> Vec<RulePart> {
        self.0.as_ref().map(|condition| condition.explain(1, &request.facts())).unwrap_or_default()
    }
}
