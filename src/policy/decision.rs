//! A job's request for a token, and the decision. Never decides itself, and never shows what the job must not read.

use super::cel::CelFailure;
use crate::base::Seconds;
use crate::claims::{AudiencePattern, Build, BuildStep, Event};
use crate::jose::Algorithm;

/// A job's request for a token.
#[derive(Debug, Clone, Copy)]
pub struct IssuanceRequest<'a> {
    /// Build that requests the token.
    pub build: &'a Build,
    /// Step that requests the token, if the request token belongs to one.
    pub step: Option<&'a BuildStep>,
    /// Requested audiences of the token; at least one.
    pub audiences: &'a [String],
    /// Requested lifetime, if the job names one.
    pub lifetime: Option<Seconds>,
    /// Requested signature algorithm, if the job names one.
    pub algorithm: Option<Algorithm>,
    /// Audience lists of the registration, the step and the client, if they have one. Each must match every audience;
    /// an empty list matches none.
    pub restrictions: &'a [&'a [AudiencePattern]],
}

/// A granted request, with the limits of its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Rule that granted the request; `None` if the default did.
    pub rule: Option<String>,
    /// Maximum lifetime of the token by that rule.
    pub max_lifetime: Option<Seconds>,
    /// Maximum number of tokens of one build by that rule.
    pub max_tokens_per_build: Option<u64>,
    /// Algorithm that the rule requires. A requested algorithm never differs from it.
    pub algorithm: Option<Algorithm>,
}

/// Reason for which a request was denied: the rule, the requested value and the allowed value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// The build is untrusted, and no rule grants untrusted builds a token.
    Untrusted {
        /// Event that triggered the build. `delete` gets no token, whatever the rules say.
        event: Event,
        /// Rules that list a requested audience but require a trusted build, or whose condition is false.
        rules: Vec<String>,
    },
    /// No rule and no default grants this audience to this build.
    AudienceNotAllowed {
        /// The requested audience; of several, the first that is denied.
        audience: String,
        /// Reason for which the audience is denied.
        reason: AudienceDenied,
    },
    /// The deciding rule requires another algorithm.
    AlgorithmNotAllowed {
        /// Name of the rule.
        rule: String,
        /// Algorithm that the job requested.
        requested: Algorithm,
        /// Algorithm that the rule allows.
        allowed: Algorithm,
    },
    /// The requested lifetime exceeds that of the deciding rule.
    LifetimeNotAllowed {
        /// Name of the rule.
        rule: String,
        /// Lifetime that the job requested.
        requested: Seconds,
        /// Maximum lifetime that the rule allows.
        allowed: Seconds,
    },
    /// The rule lists the audiences and its condition cannot be evaluated, so the request is denied.
    RuleFailed {
        /// Name of the rule.
        rule: String,
        /// Reason for which the condition has no result.
        failure: CelFailure,
    },
}

/// Reason for which an audience is denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AudienceDenied {
    /// The registration, the step or the client allows other audiences only.
    Narrowed {
        /// Patterns of the audiences that are allowed.
        allowed: Vec<String>,
    },
    /// Rules list the audience, and the condition of each is false for this build.
    Rules {
        /// Names of the rules.
        rules: Vec<String>,
    },
    /// Several audiences were requested, rules list some of them, and no rule allows them together.
    Several {
        /// Names of the rules that list any of the audiences.
        rules: Vec<String>,
    },
    /// No rule lists the audience, and the default denies it.
    Unlisted,
}
