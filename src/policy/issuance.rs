//! Which build may have a token for which audience. The rules decide alone: no caller may grant what they refuse,
//! and a rule that can't be evaluated grants nothing.

use std::cell::OnceCell;

use super::cel::Facts;
use super::decision::{AudienceBar, Denied, Grant, IssuanceRequest};
use super::facts::facts;
use super::rule::{Rule, RuleError, RuleSpec};
use crate::claims::Event;

/// What an audience gets that no rule lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DefaultGrant {
    /// Trusted builds get it, untrusted ones nothing.
    #[default]
    Trusted,
    /// Nobody gets it.
    Deny,
}

/// The rules of issuance, compiled and checked.
#[derive(Debug)]
pub struct IssuancePolicy {
    default: DefaultGrant,
    rules: Vec<Rule>,
}

impl IssuancePolicy {
    /// Checks and compiles the rules, in the order in which they are to decide.
    ///
    /// # Errors
    /// [`RuleError`] names the first rule that can't stand, and its field.
    pub fn new(default: DefaultGrant, rules: Vec<RuleSpec>) -> Result<Self, RuleError> {
        Ok(Self { default, rules: Rule::check_all(rules)? })
    }

    /// Decides. Conditions are evaluated here, within the bounds that they were loaded with.
    ///
    /// # Errors
    /// [`Denied`] says why nothing is granted, or why the deciding rule refuses what was asked of it.
    pub fn decide(&self, ask: &IssuanceRequest<'_>) -> Result<Grant, Denied> {
        if ask.build.event == Event::Delete {
            return Err(Denied::Untrusted { event: Event::Delete, rules: Vec::new() });
        }
        let Some(first) = ask.audiences.first() else {
            return Err(Denied::AudienceNotAllowed { audience: String::new(), because: AudienceBar::Unlisted });
        };
        narrow(ask)?;
        let several = ask.audiences.iter().any(|audience| audience != first);
        let known = OnceCell::new();
        for rule in self.rules.iter().filter(|rule| rule.may_grant(ask, several)) {
            if holds(rule, known.get_or_init(|| facts(ask)))? {
                return rule.grant(ask);
            }
        }
        self.fall_back(ask, several)
    }

    /// What becomes of an ask that no rule granted.
    fn fall_back(&self, ask: &IssuanceRequest<'_>, several: bool) -> Result<Grant, Denied> {
        let rules: Vec<String> = self
            .rules
            .iter()
            .filter(|rule| ask.audiences.iter().any(|audience| rule.mentions(audience)))
            .map(|rule| rule.name().to_owned())
            .collect();
        if rules.is_empty() && self.default == DefaultGrant::Trusted && ask.build.trusted {
            return Ok(Grant { rule: None, max_lifetime: None, max_tokens_per_build: None, algorithm: None });
        }
        if !ask.build.trusted {
            return Err(Denied::Untrusted { event: ask.build.event, rules });
        }
        let listed = ask.audiences.iter().find(|audience| self.rules.iter().any(|rule| rule.mentions(audience)));
        // A rule that could have granted all of them was not true of this build; else they don't go together.
        let together = !several || self.rules.iter().any(|rule| rule.may_grant(ask, several));
        let because = match (rules.is_empty(), together) {
            (true, _) => AudienceBar::Unlisted,
            (false, true) => AudienceBar::Rules { rules },
            (false, false) => AudienceBar::Several { rules },
        };
        let audience = listed.or(ask.audiences.first()).cloned().unwrap_or_default();
        Err(Denied::AudienceNotAllowed { audience, because })
    }
}

/// Every list must cover every audience.
fn narrow(ask: &IssuanceRequest<'_>) -> Result<(), Denied> {
    for list in ask.narrowed {
        let outside = ask.audiences.iter().find(|audience| !list.iter().any(|pattern| pattern.matches(audience)));
        if let Some(audience) = outside {
            let allowed = list.iter().map(ToString::to_string).collect();
            let because = AudienceBar::Narrowed { allowed };
            return Err(Denied::AudienceNotAllowed { audience: audience.clone(), because });
        }
    }
    Ok(())
}

/// Is the rule's condition true? One that gives no answer refuses in the rule's name.
fn holds(rule: &Rule, facts: &Facts<'_>) -> Result<bool, Denied> {
    rule.holds(facts).map_err(|failure| Denied::RuleFailed { rule: rule.name().to_owned(), failure })
}
