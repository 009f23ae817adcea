//! One rule of the issuance policy, checked and compiled. A rule never depends on other rules or on the default.

use std::collections::BTreeSet;
use std::fmt;

use super::cel::{CelFailure, Facts, Names, Program};
use super::decision::{Denied, Grant, IssuanceRequest};
use super::facts::with_names;
use crate::base::Seconds;
use crate::claims::AudiencePattern;
use crate::jose::Algorithm;

/// Maximum bytes of a rule's name.
const NAME_BYTES: usize = 255;

/// A rule of the issuance policy as written in the configuration, before any check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSpec {
    /// Unique name of the rule, which logs and errors show.
    pub name: String,
    /// Condition of the rule, in CEL; `None` counts as true.
    pub when: Option<String>,
    /// Patterns of the audiences that the rule grants, at least one.
    pub audiences: Vec<AudiencePattern>,
    /// Whether a single token may have several of the rule's audiences.
    pub multiple: bool,
    /// Whether the rule also applies to untrusted builds.
    pub allow_untrusted: bool,
    /// Maximum lifetime of a token that the rule grants; `None` sets no limit.
    pub max_lifetime: Option<Seconds>,
    /// Maximum number of tokens that one build may get by the rule; `None` sets no limit.
    pub max_tokens_per_build: Option<u64>,
    /// Signature algorithm that the rule requires; `None` allows any algorithm.
    pub algorithm: Option<Algorithm>,
}

/// Error returned for an invalid rule of the issuance policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuanceRuleError {
    /// Index of the rule in the list of rules, from 0.
    pub index: usize,
    /// Name of the rule as written in the configuration, which may be invalid.
    pub rule: String,
    /// Invalid field of the rule: `name`, `when`, `audiences`, `max_lifetime` or `max_tokens_per_build`.
    pub field: &'static str,
    /// Text that says what is wrong with the field and what would be right. For `when`, the text also shows the line,
    /// the column and a caret under the mistake.
    pub text: String,
}

impl fmt::Display for IssuanceRuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The name may be what is invalid, so the name is escaped for the terminal.
        write!(f, "rule {} ({:?}): {}: {}", self.index + 1, self.rule, self.field, self.text)
    }
}

impl std::error::Error for IssuanceRuleError {}

/// A rule of the issuance policy that passed every check.
#[derive(Debug)]
pub(super) struct Rule {
    spec: RuleSpec,
    when: Option<Program>,
}

impl Rule {
    /// Checks each rule, and checks that the rules' names are unique. Returns the valid rules, and every fault of the
    /// invalid rules.
    pub(super) fn check_all(specs: Vec<RuleSpec>) -> (Vec<Self>, Vec<IssuanceRuleError>) {
        let (mut names, mut rules, mut errors) = (BTreeSet::new(), Vec::new(), Vec::new());
        with_names(|known| {
            for (index, spec) in specs.into_iter().enumerate() {
                let name = spec.name.clone();
                let mut faults = Vec::new();
                if !names.insert(name.clone()) {
                    faults.push(("name", "duplicate name: another rule has it".to_owned()));
                }
                match Self::check(spec, known) {
                    Ok(rule) => rules.push(rule),
                    Err(found) => faults.extend(found),
                }
                let error = |(field, text)| IssuanceRuleError { index, rule: name.clone(), field, text };
                errors.extend(faults.into_iter().map(error));
            }
        });
        (rules, errors)
    }

    fn check(spec: RuleSpec, known: &Names<'_>) -> Result<Self, Vec<(&'static str, String)>> {
        let mut faults = Vec::new();
        let mut invalid = |field, text: &str| faults.push((field, text.to_owned()));
        if spec.name.trim().is_empty() || spec.name.len() > NAME_BYTES || spec.name.chars().any(char::is_control) {
            invalid("name", "must be a name of at most 255 bytes on one line");
        }
        if spec.audiences.is_empty() {
            invalid("audiences", "must list at least one audience, such as [\"sts.amazonaws.com\"]");
        }
        if spec.max_lifetime == Some(Seconds::ZERO) {
            invalid("max_lifetime", "must be at least 1s; leave it out to apply tokens.max_lifetime");
        }
        if spec.max_tokens_per_build == Some(0) {
            invalid("max_tokens_per_build", "must be at least 1");
        }
        let when = spec.when.as_ref().map(|source| Program::compile(source, known)).transpose();
        match when {
            Ok(when) if faults.is_empty() => return Ok(Self { spec, when }),
            Ok(_) => {}
            Err(error) => faults.push(("when", error.to_string())),
        }
        Err(faults)
    }

    pub(super) fn name(&self) -> &str {
        &self.spec.name
    }

    /// Whether the rule lists the audience, without regard to upper and lower case. If so, the policy's default does
    /// not apply to the audience.
    pub(super) fn mentions(&self, audience: &str) -> bool {
        self.spec.audiences.iter().any(|pattern| pattern.mentions(audience))
    }

    /// Whether the rule grants the request, provided that the rule's condition is true.
    pub(super) fn may_grant(&self, request: &IssuanceRequest<'_>, several: bool) -> bool {
        let lists = |audience: &String| self.spec.audiences.iter().any(|pattern| pattern.matches(audience));
        request.audiences.iter().all(lists)
            && (self.spec.multiple || !several)
            && (self.spec.allow_untrusted || request.build.trusted)
    }

    /// Whether the rule's condition is true.
    pub(super) fn holds(&self, facts: &Facts<'_>) -> Result<bool, CelFailure> {
        self.when.as_ref().map_or(Ok(true), |when| when.evaluate(facts))
    }

    /// Grants the request, or denies the request if it exceeds a limit of the rule.
    pub(super) fn grant(&self, request: &IssuanceRequest<'_>) -> Result<Grant, Denied> {
        let rule = self.spec.name.clone();
        if let (Some(requested), Some(allowed)) = (request.algorithm, self.spec.algorithm)
            && requested != allowed
        {
            return Err(Denied::AlgorithmNotAllowed { rule, requested, allowed });
        }
        if let (Some(requested), Some(allowed)) = (request.lifetime, self.spec.max_lifetime)
            && requested > allowed
        {
            return Err(Denied::LifetimeNotAllowed { rule, requested, allowed });
        }
        Ok(Grant {
            rule: Some(rule),
            max_lifetime: self.spec.max_lifetime,
            max_tokens_per_build: self.spec.max_tokens_per_build,
            algorithm: self.spec.algorithm,
        })
    }
}
