//! What a job asks for, and what is answered. Decides nothing, and says nothing that the job may not read.

use super::cel::CelFailure;
use crate::base::Seconds;
use crate::claims::{AudiencePattern, Build, BuildStep, Event};
use crate::jose::Algorithm;

/// What a job asks for.
#[derive(Debug, Clone, Copy)]
pub struct IssuanceRequest<'a> {
    /// The build that asks.
    pub build: &'a Build,
    /// The step that asks, where the request token is a step's.
    pub step: Option<&'a BuildStep>,
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
