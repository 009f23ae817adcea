//! The types of a job's request for a token and of the issuance policy's decision on the request. No code in this file
//! decides, or writes a text that a job reads.

use super::cel::CelFailure;
use crate::base::Seconds;
use crate::claims::{AudiencePattern, Build, BuildStep, Event};
use crate::jose::Algorithm;

/// A job's request for an ID token, on which the issuance policy decides.
#[derive(Debug, Clone, Copy)]
pub struct IssuanceRequest<'a> {
    /// Build for which the job requests the token.
    pub build: &'a Build,
    /// Step for which the job requests the token; `None` if the request token belongs to the whole build.
    pub step: Option<&'a BuildStep>,
    /// Requested audiences of the token, at least one.
    pub audiences: &'a [String],
    /// Requested lifetime of the token; `None` if the job requests no lifetime.
    pub lifetime: Option<Seconds>,
    /// Requested signature algorithm of the token; `None` if the job requests no algorithm.
    pub algorithm: Option<Algorithm>,
    /// The lists of allowed audiences that the registration, the step and the client set. A list that is not set is
    /// left out. Each list must match every requested audience; an empty list matches no audience.
    pub restrictions: &'a [&'a [AudiencePattern]],
}

/// Decision that grants a request, with the limits of the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Name of the rule that granted the request; `None` if the policy's default granted the request.
    pub rule: Option<String>,
    /// Maximum lifetime of the token, if the rule sets a limit.
    pub max_lifetime: Option<Seconds>,
    /// Maximum number of tokens that one build may get by the rule, if the rule sets a limit.
    pub max_tokens_per_build: Option<u64>,
    /// Signature algorithm that the rule requires. A job that requested another algorithm is denied.
    pub algorithm: Option<Algorithm>,
}

/// Decision that denies a request: the reason, with the rule, the requested value and the allowed value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// The build is untrusted, and no rule grants untrusted builds a token.
    Untrusted {
        /// Event that triggered the build. A build of the event `delete` gets no token, whatever the rules say.
        event: Event,
        /// Names of the rules that list a requested audience. None of them allows the request of an untrusted build.
        rules: Vec<String>,
    },
    /// Neither a rule nor the policy's default grants the audience to the build.
    AudienceNotAllowed {
        /// The denied audience: of several, the first that a rule lists, else the first that was requested.
        audience: String,
        /// Reason for which the audience is denied.
        reason: AudienceDenied,
    },
    /// The rule that decides requires another signature algorithm.
    AlgorithmNotAllowed {
        /// Name of the rule that decides.
        rule: String,
        /// Signature algorithm that the job requested.
        requested: Algorithm,
        /// Signature algorithm that the rule requires.
        allowed: Algorithm,
    },
    /// The requested lifetime exceeds the maximum lifetime of the rule that decides.
    LifetimeNotAllowed {
        /// Name of the rule that decides.
        rule: String,
        /// Lifetime that the job requested.
        requested: Seconds,
        /// Maximum lifetime of a token by the rule.
        allowed: Seconds,
    },
    /// A rule lists the audiences, but the rule's condition cannot be evaluated, so the request is denied.
    RuleFailed {
        /// Name of the rule that decides.
        rule: String,
        /// Reason for which the rule's condition could not be evaluated.
        failure: CelFailure,
    },
}

/// Reason for which the issuance policy denies an audience.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AudienceDenied {
    /// The registration, the step or the client allows only other audiences.
    Narrowed {
        /// Patterns of the audiences that the registration, step or client allows.
        allowed: Vec<String>,
    },
    /// At least one rule lists the audience, but the condition of each such rule is false for the build.
    Rules {
        /// Names of the rules that list the audience.
        rules: Vec<String>,
    },
    /// Several audiences were requested. Rules list at least one of the audiences, but no rule allows all of them in
    /// one token.
    Several {
        /// Names of the rules that list any of the requested audiences.
        rules: Vec<String>,
    },
    /// No rule lists the audience, and the policy's default denies the audience.
    Unlisted,
}
