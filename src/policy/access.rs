//! Access policies in CEL, which decide what a verified token may do in a repository. A rule that cannot be evaluated
//! denies the request, and a repository without a policy allows no access.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::cel::{CelError, CelFailure, Fact, Facts, Names};
use super::condition::{Condition, RulePart};

/// Decision on a request for which no rule of the policy is true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessDefault {
    /// Allow a request that no rule denies. The first rule that is true denies the request.
    Allow,
    /// Deny a request that no rule allows. The first rule that is true allows the request.
    #[default]
    Deny,
}

/// An access policy as written in the configuration, before any check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessPolicySpec {
    /// Decision on a request for which no rule of the policy is true.
    pub default: AccessDefault,
    /// Rules of the policy, each a condition in CEL. The first rule that is true decides.
    pub rules: Vec<String>,
    /// Names of the providers whose tokens the policy accepts. Tokens of other providers are denied.
    pub providers: Vec<String>,
    /// Whether the policy accepts this issuer's tokens of untrusted builds.
    pub allow_untrusted: bool,
}

/// Error returned for an invalid rule of an access policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule {rule}: {error}")]
pub struct AccessPolicyError {
    /// Number of the rule within the access policy, from 1.
    pub rule: usize,
    /// What is wrong with the rule, with the line and a caret under the mistake.
    pub error: CelError,
}

/// A verified token and the action for which the token is presented.
#[derive(Debug, Clone, Copy)]
pub struct AccessRequest<'a> {
    /// Name of the provider that issued the token.
    pub provider: &'a str,
    /// Claims of the verified token.
    pub claims: &'a Map<String, Value>,
    /// Whether the token belongs to an untrusted build of this issuer. Always false for tokens of other issuers.
    pub untrusted: bool,
    /// Action that the request asks for, such as `put-manifest`.
    pub action: &'a str,
    /// Name of the repository that the action applies to.
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

/// Reason for which an access policy denies a request. Only operators may read the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessDenied {
    /// No access policy applies to the repository.
    #[error("no access policy matches this repository")]
    NoPolicy,
    /// The access policy accepts only tokens of other providers.
    #[error("the access policy accepts tokens of {}, not of {actual}", .expected.join(", "))]
    Provider {
        /// Names of the providers that the policy accepts.
        expected: Vec<String>,
        /// Name of the provider that issued the token.
        actual: String,
    },
    /// The token's build is untrusted, and the access policy does not set `allow_untrusted`.
    #[error("the build is untrusted, and the access policy does not set allow_untrusted")]
    Untrusted,
    /// No rule of the access policy is true, and the policy denies by default.
    #[error("no rule allows the request")]
    NoRule,
    /// A rule of the access policy is true and denies the request.
    #[error("rule {rule} denies the request")]
    Rule {
        /// Number of the rule within the access policy, from 1.
        rule: usize,
    },
    /// A rule of the access policy cannot be evaluated, so the request is denied.
    #[error("rule {rule} cannot be evaluated: {failure}")]
    Indeterminate {
        /// Number of the rule within the access policy, from 1.
        rule: usize,
        /// Reason for which the rule could not be evaluated.
        failure: CelFailure,
    },
}

/// An access policy whose rules were checked and compiled.
#[derive(Debug)]
pub struct AccessPolicy {
    default: AccessDefault,
    rules: Vec<Condition>,
    providers: Vec<String>,
    allow_untrusted: bool,
}

impl AccessPolicy {
    /// Checks and compiles an access policy.
    ///
    /// # Errors
    /// [`AccessPolicyError`] names the first invalid rule.
    pub fn new(spec: AccessPolicySpec) -> Result<Self, AccessPolicyError> {
        Self::check(spec).map_err(|(first, _)| first)
    }

    /// Checks and compiles an access policy. On failure returns every invalid rule: the first one, then the others.
    pub(crate) fn check(spec: AccessPolicySpec) -> Result<Self, (AccessPolicyError, Vec<AccessPolicyError>)> {
        let (mut rules, mut errors) = (Vec::new(), Vec::new());
        with_names(|names| {
            for (index, text) in spec.rules.iter().enumerate() {
                match Condition::compile(text, names) {
                    Ok(rule) => rules.push(rule),
                    Err(error) => errors.push(AccessPolicyError { rule: index + 1, error }),
                }
            }
        });
        let mut errors = errors.into_iter();
        if let Some(first) = errors.next() {
            return Err((first, errors.collect()));
        }
        let AccessPolicySpec { default, providers, allow_untrusted, .. } = spec;
        Ok(Self { default, rules, providers, allow_untrusted })
    }

    /// Returns the names of the providers whose tokens the access policy accepts.
    pub fn providers(&self) -> impl Iterator<Item = &str> {
        self.providers.iter().map(String::as_str)
    }

    /// Decides whether the policy allows a request. Evaluating a rule takes some microseconds, or some milliseconds if
    /// the rule loops over long lists. This must therefore not run on an async thread.
    ///
    /// # Errors
    /// [`AccessDenied`] says why the request is denied.
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

    /// Evaluates every rule part by part, where `a && b` has two parts. Returns each part's result with the values that
    /// the part read.
    #[must_use]
    pub fn explain(&self, request: &AccessRequest<'_>) -> Vec<RulePart> {
        let facts = request.facts();
        self.rules.iter().enumerate().flat_map(|(index, rule)| rule.explain(index + 1, &facts)).collect()
    }
}

/// Calls `act` with the variables that rules may read, each with an example of the variable's value.
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
    act(&Names::from_example(example.facts()))
}
