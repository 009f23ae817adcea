//! Access policies in CEL: may the bearer of this verified token do this? Fails closed: a rule that gives no answer
//! denies, and so does a token for which no policy holds.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::cel::{CelError, CelFailure, Fact, Facts, Names};
use super::condition::{Condition, RulePart};

/// What happens where no rule is true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessDefault {
    /// Allowed: then the first rule that is true denies.
    Allow,
    /// Denied: then the first rule that is true allows.
    #[default]
    Deny,
}

/// A policy as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessPolicySpec {
    /// What happens where no rule is true.
    pub default: AccessDefault,
    /// Conditions in CEL, in the order in which they decide.
    pub rules: Vec<String>,
    /// The providers for whose tokens it holds.
    pub providers: Vec<String>,
    /// Does it hold for tokens of our own issuer whose build's code was not accepted?
    pub allow_untrusted: bool,
}

/// A rule that can't stand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule {rule}: {error}")]
pub struct AccessPolicyError {
    /// Which, from 1.
    pub rule: usize,
    /// Why, with line and caret.
    pub error: CelError,
}

/// What is asked for, and by whom.
#[derive(Debug, Clone, Copy)]
pub struct AccessRequest<'a> {
    /// The provider whose token it is.
    pub provider: &'a str,
    /// What the token says.
    pub claims: &'a Map<String, Value>,
    /// Was the code of the build accepted? Of a foreign token nobody knows, and nobody asks.
    pub untrusted: bool,
    /// What is to be done, such as `put-manifest`.
    pub action: &'a str,
    /// To which repository.
    pub repository: &'a str,
}

impl<'a> AccessRequest<'a> {
    fn facts(&self) -> Facts<'a> {
        Facts::from([
            ("identity.oidc.provider_name", Fact::Text(Cow::Borrowed(self.provider))),
            ("identity.oidc.claims", Fact::Object(self.claims)),
            ("request.action", Fact::Text(Cow::Borrowed(self.action))),
            ("request.repository", Fact::Text(Cow::Borrowed(self.repository))),
        ])
    }
}

/// Why access is denied. For the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessDenied {
    /// No policy says anything about this repository.
    #[error("no policy is for this repository")]
    NoPolicy,
    /// The policy is for other providers' tokens.
    #[error("the policy holds for tokens of {}, not of {actual}", .expected.join(", "))]
    Provider {
        /// Those that it holds for.
        expected: Vec<String>,
        /// Whose token it is.
        actual: String,
    },
    /// Code that was not accepted, and the policy does not allow that.
    #[error("the build's code was not accepted in its repository, and allow_untrusted is not set")]
    Untrusted,
    /// No rule is true.
    #[error("no rule allows it")]
    NoRule,
    /// A rule says no.
    #[error("rule {rule} denies it")]
    Rule {
        /// Which, from 1.
        rule: usize,
    },
    /// A rule gives no answer.
    #[error("rule {rule} gives no answer: {failure}")]
    Indeterminate {
        /// Which, from 1.
        rule: usize,
        /// Why.
        failure: CelFailure,
    },
}

/// A policy, checked and compiled.
#[derive(Debug)]
pub struct AccessPolicy {
    default: AccessDefault,
    rules: Vec<Condition>,
    providers: Vec<String>,
    allow_untrusted: bool,
}

impl AccessPolicy {
    /// Checks and compiles a policy.
    ///
    /// # Errors
    /// [`AccessPolicyError`] names the first rule that can't stand.
    pub fn new(spec: AccessPolicySpec) -> Result<Self, AccessPolicyError> {
        let rules = with_names(|names| {
            let rule = |(index, text): (usize, &String)| {
                Condition::compile(text, names).map_err(|error| AccessPolicyError { rule: index + 1, error })
            };
            spec.rules.iter().enumerate().map(rule).collect::<Result<Vec<_>, _>>()
        })?;
        let AccessPolicySpec { default, providers, allow_untrusted, .. } = spec;
        Ok(Self { default, rules, providers, allow_untrusted })
    }

    /// The names of the providers whose tokens it is for.
    pub fn providers(&self) -> impl Iterator<Item = &str> {
        self.providers.iter().map(String::as_str)
    }

    /// Decides. Evaluates conditions, within the bounds that they were loaded with: some microseconds each, and up to
    /// some milliseconds where they loop over long lists, so it is not for an async thread.
    ///
    /// # Errors
    /// [`AccessDenied`].
    pub fn decide(&self, request: &AccessRequest<'_>) -> Result<(), AccessDenied> {
        if !self.providers.iter().any(|provider| provider == request.provider) {
            let (expected, actual) = (self.providers.clone(), request.provider.to_owned());
            return Err(AccessDenied::Provider { expected, actual });
        }
        if request.untrusted && !self.allow_untrusted {
            return Err(AccessDenied::Untrusted);
        }
        let facts = request.facts();
        for (index, rule) in self.rules.iter().enumerate() {
            let rule_number = index + 1;
            match (rule.evaluate(&facts), self.default) {
                (Ok(false), _) => {}
                (Ok(true), AccessDefault::Deny) => return Ok(()),
                (Ok(true), AccessDefault::Allow) => return Err(AccessDenied::Rule { rule: rule_number }),
                (Err(failure), _) => return Err(AccessDenied::Indeterminate { rule: rule_number, failure }),
            }
        }
        match self.default {
            AccessDefault::Allow => Ok(()),
            AccessDefault::Deny => Err(AccessDenied::NoRule),
        }
    }

    /// Every part of every rule, with its answer and what it looked at.
    #[must_use]
    pub fn explain(&self, request: &AccessRequest<'_>) -> Vec<RulePart> {
        let facts = request.facts();
        self.rules.iter().enumerate().flat_map(|(index, rule)| rule.explain(index + 1, &facts)).collect()
    }
}

/// The names that a rule may use, told by an example.
fn with_names<T>(act: impl FnOnce(&Names<'_>) -> T) -> T {
    let claims = json!({ "sub": "repo:acme/app" });
    let none = Map::new();
    let example = AccessRequest {
        provider: "github-actions",
        claims: claims.as_object().unwrap_or(&none),
        untrusted: false,
        action: "get-manifest",
        repository: "acme/app",
    };
    act(&Names::like(example.facts()))
}
