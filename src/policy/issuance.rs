//! The issuance policy, which decides which build may have a token for which audience. A rule that cannot be evaluated
//! never grants a token, and no other code may grant what the policy denies.

use std::cell::OnceCell;

use super::cel::Facts;
use super::decision::{AudienceDenied, Denied, Grant, IssuanceRequest};
use super::facts::facts;
use super::rule::{IssuanceRuleError, Rule, RuleSpec};
use crate::claims::Event;

/// Decision on an audience that no rule lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DefaultGrant {
    /// Grant the audience to trusted builds only.
    #[default]
    Trusted,
    /// Deny the audience to every build.
    Deny,
}

/// The issuance policy: all rules, checked and compiled, and the default decision on audiences that no rule lists.
#[derive(Debug)]
pub struct IssuancePolicy {
    default: DefaultGrant,
    rules: Vec<Rule>,
}

impl IssuancePolicy {
    /// Checks and compiles the rules of the policy. The first rule that matches a request decides.
    ///
    /// # Errors
    /// [`IssuanceRuleError`] names the first invalid rule and the invalid field of the rule.
    pub fn new(default: DefaultGrant, rules: Vec<RuleSpec>) -> Result<Self, IssuanceRuleError> {
        let (rules, errors) = Rule::check_all(rules);
        errors.into_iter().next().map_or(Ok(Self { default, rules }), Err)
    }

    /// Returns every fault of every rule.
    #[must_use]
    pub fn faults(rules: &[RuleSpec]) -> Vec<IssuanceRuleError> {
        Rule::check_all(rules.to_vec()).1
    }

    /// Decides whether a request is granted. Evaluates each condition within the limits that were checked when the
    /// condition was compiled.
    ///
    /// # Errors
    /// [`Denied`] says why no rule grants the request, or which limit of the deciding rule is exceeded.
    pub fn decide(&self, request: &IssuanceRequest<'_>) -> Result<Grant, Denied> {
        if request.build.event == Event::Delete {
            return Err(Denied::Untrusted { event: Event::Delete, rules: Vec::new() });
        }
        let Some(first) = request.audiences.first() else {
            return Err(Denied::AudienceNotAllowed { audience: String::new(), reason: AudienceDenied::Unlisted });
        };
        check_restrictions(request)?;
        let several = request.audiences.iter().any(|audience| audience != first);
        let cached = OnceCell::new();
        for rule in self.rules.iter().filter(|rule| rule.may_grant(request, several)) {
            if holds(rule, cached.get_or_init(|| facts(request)))? {
                return rule.grant(request);
            }
        }
        self.decide_by_default(request, several)
    }

    /// Decides on a request that no rule granted.
    fn decide_by_default(&self, request: &IssuanceRequest<'_>, several: bool) -> Result<Grant, Denied> {
        let rules: Vec<String> = self
            .rules
            .iter()
            .filter(|rule| request.audiences.iter().any(|audience| rule.mentions(audience)))
            .map(|rule| rule.name().to_owned())
            .collect();
        if rules.is_empty() && self.default == DefaultGrant::Trusted && request.build.trusted {
            return Ok(Grant { rule: None, max_lifetime: None, max_tokens_per_build: None, algorithm: None });
        }
        if !request.build.trusted {
            return Err(Denied::Untrusted { event: request.build.event, rules });
        }
        let listed = request.audiences.iter().find(|audience| self.rules.iter().any(|rule| rule.mentions(audience)));
        // Whether a rule lists all audiences and its condition is false. If not, no rule allows all audiences together.
        let together = !several || self.rules.iter().any(|rule| rule.may_grant(request, several));
        let reason = match (rules.is_empty(), together) {
            (true, _) => AudienceDenied::Unlisted,
            (false, true) => AudienceDenied::Rules { rules },
            (false, false) => AudienceDenied::Several { rules },
        };
        let audience = listed.or(request.audiences.first()).cloned().unwrap_or_default();
        Err(Denied::AudienceNotAllowed { audience, reason })
    }
}

/// Checks that each list of the registration, step and client allows every requested audience.
fn check_restrictions(request: &IssuanceRequest<'_>) -> Result<(), Denied> {
    for list in request.restrictions {
        let outside = request.audiences.iter().find(|audience| !list.iter().any(|pattern| pattern.matches(audience)));
        if let Some(audience) = outside {
            let allowed = list.iter().map(ToString::to_string).collect();
            let reason = AudienceDenied::Narrowed { allowed };
            return Err(Denied::AudienceNotAllowed { audience: audience.clone(), reason });
        }
    }
    Ok(())
}

/// Whether the rule's condition is true. If the condition cannot be evaluated, the request is denied, and the denial
/// names the rule.
fn holds(rule: &Rule, facts: &Facts<'_>) -> Result<bool, Denied> {
    rule.holds(facts).map_err(|failure| Denied::RuleFailed { rule: rule.name().to_owned(), failure })
}
