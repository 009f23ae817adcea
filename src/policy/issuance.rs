//! Which build may have a token for which audience. The rules decide alone: no caller may grant what they refuse,
//! and a rule that can't be evaluated grants nothing.

use std::cell::OnceCell;

use super::cel::{CelFailure, Facts};
use super::facts::facts;
use super::rule::{Rule, RuleError, RuleSpec};
use crate::base::Seconds;
use crate::claims::{AudiencePattern, Build, Event, Step};
use crate::jose::Algorithm;

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

/// What a job asks for.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The build that asks.
    pub build: &'a Build,
    /// The step that asks, where the request token is a step's.
    pub step: Option<&'a Step>,
    /// Every audience of the one token; at least one.
    pub audiences: &'a [String],
    /// How long the token is to live, where the job says.
    pub lifetime: Option<Seconds>,
    /// How it is to be signed, where the job says.
    pub algorithm: Option<Algorithm>,
    /// The lists of the registration, the step and the client, those that there are. Each must cover every audience;
    /// an empty list covers none.
    pub narrowed: &'a [&'a [AudiencePattern]],
}

/// What was granted, and within which limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The rule that granted it; none where it was the default.
    pub rule: Option<String>,
    /// The longest that the token may live by that rule.
    pub max_lifetime: Option<Seconds>,
    /// How many tokens one build may have by that rule.
    pub max_tokens_per_build: Option<u64>,
    /// The algorithm that the rule insists on; what was asked for never differs from it.
    pub algorithm: Option<Algorithm>,
}

/// Why a token was refused: which rule, what was asked for, what is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// The code that runs was not accepted in the repository, and nothing grants it a token all the same.
    Untrusted {
        /// What set the build off. `delete` gets no token whatever the rules say.
        event: Event,
        /// The rules that list what was asked for, each for trusted builds only or not true of this build.
        rules: Vec<String>,
    },
    /// Nothing grants this audience to this build.
    AudienceNotAllowed {
        /// The audience, as it was asked for; of several the first that is in the way.
        audience: String,
        /// What stands in its way.
        because: AudienceBar,
    },
    /// The deciding rule insists on another algorithm.
    AlgorithmNotAllowed {
        /// The rule.
        rule: String,
        /// What was asked for.
        asked: Algorithm,
        /// What the rule allows.
        allowed: Algorithm,
    },
    /// The deciding rule's tokens live shorter.
    LifetimeNotAllowed {
        /// The rule.
        rule: String,
        /// What was asked for.
        asked: Seconds,
        /// The longest that the rule allows.
        allowed: Seconds,
    },
    /// The rule lists what was asked for and gave no answer, so the answer is no.
    RuleFailed {
        /// The rule.
        rule: String,
        /// Why it gave none.
        failure: CelFailure,
    },
}

/// What stands in the way of an audience.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AudienceBar {
    /// The registration, the step or the client is narrowed to these patterns.
    Narrowed {
        /// The patterns of that list.
        allowed: Vec<String>,
    },
    /// Rules list it, and none of them is true of this build.
    Rules {
        /// Their names.
        rules: Vec<String>,
    },
    /// Several audiences were asked for at once, rules list some of them, and no rule allows them together.
    Several {
        /// The rules that list any of them.
        rules: Vec<String>,
    },
    /// No rule lists it, and the default is to deny.
    Unlisted,
}

impl IssuancePolicy {
    /// Checks and compiles the rules, in the order in which they are to decide.
    ///
    /// # Errors
    /// [`RuleError`] names the first rule that can't stand, and its field.
    pub fn new(default: DefaultGrant, rules: Vec<RuleSpec>) -> Result<Self, RuleError> {
        Ok(Self { default, rules: Rule::check_all(rules)? })
    }

    /// Are there rules at all? Without, the default decides everything.
    #[must_use]
    pub fn has_rules(&self) -> bool {
        !self.rules.is_empty()
    }

    /// Decides. Conditions are evaluated here, within the bounds that they were loaded with.
    ///
    /// # Errors
    /// [`Denied`] says why nothing is granted, or why the deciding rule refuses what was asked of it.
    pub fn decide(&self, ask: &Ask<'_>) -> Result<Grant, Denied> {
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
    fn fall_back(&self, ask: &Ask<'_>, several: bool) -> Result<Grant, Denied> {
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
        let because = match (rules.is_empty(), several) {
            (true, _) => AudienceBar::Unlisted,
            (false, true) => AudienceBar::Several { rules },
            (false, false) => AudienceBar::Rules { rules },
        };
        let audience = listed.or(ask.audiences.first()).cloned().unwrap_or_default();
        Err(Denied::AudienceNotAllowed { audience, because })
    }
}

/// Every list must cover every audience.
fn narrow(ask: &Ask<'_>) -> Result<(), Denied> {
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
