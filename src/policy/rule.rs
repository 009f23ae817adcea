//! One rule of issuance, checked and compiled. Knows nothing of the other rules or of the default.

use std::collections::BTreeSet;
use std::fmt;

use super::cel::{CelFailure, Facts, Names, Program};
use super::decision::{Denied, Grant, IssuanceRequest};
use super::facts::with_names;
use crate::base::Seconds;
use crate::claims::AudiencePattern;
use crate::jose::Algorithm;

/// Longest name of a rule, in bytes.
const NAME_BYTES: usize = 255;

/// A rule as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSpec {
    /// What tokens, logs and refusals call it; unique.
    pub name: String,
    /// Condition in CEL; absent: true.
    pub when: Option<String>,
    /// The audiences that it grants; at least one.
    pub audiences: Vec<AudiencePattern>,
    /// May one token have several of them at once?
    pub multiple: bool,
    /// Does it grant them to untrusted builds too?
    pub allow_untrusted: bool,
    /// The longest that a token may live.
    pub max_lifetime: Option<Seconds>,
    /// How many tokens one build may have by this rule.
    pub max_tokens_per_build: Option<u64>,
    /// The only algorithm that its tokens are signed with.
    pub algorithm: Option<Algorithm>,
}

/// A rule that can't stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleError {
    /// Which rule, from 0, in the order in which they are written.
    pub index: usize,
    /// Its name, as it is written.
    pub rule: String,
    /// The field: `name`, `when`, `audiences`, `max_lifetime`, `max_tokens_per_build`.
    pub field: &'static str,
    /// What is wrong and what would be right; for `when` with line, column and caret.
    pub text: String,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A name may be what is wrong: escaped, it can't disturb a terminal.
        write!(f, "rule {} ({:?}): {}: {}", self.index + 1, self.rule, self.field, self.text)
    }
}

impl std::error::Error for RuleError {}

/// A rule that was checked.
#[derive(Debug)]
pub(super) struct Rule {
    spec: RuleSpec,
    when: Option<Program>,
}

impl Rule {
    /// Checks each rule, and that no two share a name.
    pub(super) fn check_all(specs: Vec<RuleSpec>) -> Result<Vec<Self>, RuleError> {
        let mut names = BTreeSet::new();
        with_names(|known| {
            let rules = specs.into_iter().enumerate().map(|(index, spec)| {
                let name = spec.name.clone();
                let fault = if names.insert(name.clone()) {
                    Self::check(spec, known)
                } else {
                    Err(("name", "is another rule's name too; names are unique".to_owned()))
                };
                fault.map_err(|(field, text)| RuleError { index, rule: name, field, text })
            });
            rules.collect()
        })
    }

    fn check(spec: RuleSpec, known: &Names<'_>) -> Result<Self, (&'static str, String)> {
        let refuse = |field, text: &str| Err((field, text.to_owned()));
        if spec.name.trim().is_empty() || spec.name.len() > NAME_BYTES || spec.name.chars().any(char::is_control) {
            return refuse("name", "must be a name of at most 255 bytes on one line");
        }
        if spec.audiences.is_empty() {
            return refuse("audiences", "must list at least one audience, such as [\"sts.amazonaws.com\"]");
        }
        if spec.max_lifetime == Some(Seconds::ZERO) {
            return refuse("max_lifetime", "must be at least 1s; without it tokens.max_lifetime holds");
        }
        if spec.max_tokens_per_build == Some(0) {
            return refuse("max_tokens_per_build", "must be at least 1");
        }
        let when = match &spec.when {
            Some(source) => Some(Program::compile(source, known).map_err(|error| ("when", error.to_string()))?),
            None => None,
        };
        Ok(Self { spec, when })
    }

    pub(super) fn name(&self) -> &str {
        &self.spec.name
    }

    /// Is it the audience of some token of this rule, but for case? Then no other way leads to it.
    pub(super) fn mentions(&self, audience: &str) -> bool {
        self.spec.audiences.iter().any(|pattern| pattern.mentions(audience))
    }

    /// Does only the condition stand between this ask and the rule's grant?
    pub(super) fn may_grant(&self, ask: &IssuanceRequest<'_>, several: bool) -> bool {
        let lists = |audience: &String| self.spec.audiences.iter().any(|pattern| pattern.matches(audience));
        ask.audiences.iter().all(lists)
            && (self.spec.multiple || !several)
            && (self.spec.allow_untrusted || ask.build.trusted)
    }

    /// Is its condition true?
    pub(super) fn holds(&self, facts: &Facts<'_>) -> Result<bool, CelFailure> {
        self.when.as_ref().map_or(Ok(true), |when| when.evaluate(facts))
    }

    /// The rule decides: what it grants, or which of its limits the ask passes.
    pub(super) fn grant(&self, ask: &IssuanceRequest<'_>) -> Result<Grant, Denied> {
        let rule = self.spec.name.clone();
        if let (Some(asked), Some(allowed)) = (ask.algorithm, self.spec.algorithm)
            && asked != allowed
        {
            return Err(Denied::AlgorithmNotAllowed { rule, asked, allowed });
        }
        if let (Some(asked), Some(allowed)) = (ask.lifetime, self.spec.max_lifetime)
            && asked > allowed
        {
            return Err(Denied::LifetimeNotAllowed { rule, asked, allowed });
        }
        Ok(Grant {
            rule: Some(rule),
            max_lifetime: self.spec.max_lifetime,
            max_tokens_per_build: self.spec.max_tokens_per_build,
            algorithm: self.spec.algorithm,
        })
    }
}
