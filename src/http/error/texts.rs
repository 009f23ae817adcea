//! The public text of each refusal and error. A text says which field or rule refused, what was requested and what is
//! allowed; a text must never hold the cause of a failure.

use super::code::Code;
use super::problem::{NO_OBJECT_OF_CALLER, Problem};
use crate::base::{FieldError, Seconds};
use crate::claims::{Event, MAX_TOKEN_BYTES};
use crate::exchange::{self, ApplyRulesError, PublicationError};
use crate::issuer::{IssueError, IssueRefusal, NotIssued, Quota};
use crate::keyring::KeyringError;
use crate::policy::{AudienceDenied, Denied};
use crate::store::NameKind;

const PROVIDER_KEYS: &str =
    "could not fetch the signing keys of the token's issuer: wait for the time in the Retry-After header";

const RATE_LIMITED: &str = "too many requests: wait for the time in the Retry-After header";

impl From<FieldError> for Problem {
    fn from(field: FieldError) -> Self {
        Self::new(Code::InvalidRequest, field.to_string())
    }
}

impl From<NotIssued> for Problem {
    fn from(declined: NotIssued) -> Self {
        match declined {
            NotIssued::Failed(error) => error.into(),
            NotIssued::Refused(refusal) => refusal.into(),
        }
    }
}

impl From<IssueError> for Problem {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::Entropy(_) | IssueError::Internal(_) => Self::internal(error),
            IssueError::NoSigner { algorithm, signs_in } => {
                let algorithm = algorithm.map(|alg| format!(" of {alg}")).unwrap_or_default();
                let when = if signs_in.is_some() { "the first key is announced; " } else { "" };
                Self::new(
                    Code::Unavailable,
                    format!("no active signing key{algorithm}: {when}wait for the time in the Retry-After header"),
                )
                .retry_after(signs_in.unwrap_or(Seconds::new(30)).max(Seconds::new(1)))
                .because(error)
            }
            IssueError::ProviderKeys { retry_after, .. } => {
                Self::new(Code::Unavailable, PROVIDER_KEYS).retry_after(retry_after).because(error)
            }
            IssueError::Keyring(KeyringError::Clock(fault)) => Self::doubted_clock(&fault),
            IssueError::Keyring(_) | IssueError::Signing(_) | IssueError::Store(_) => Self::unavailable(error),
        }
    }
}

impl From<exchange::ExchangeError> for Problem {
    fn from(error: exchange::ExchangeError) -> Self {
        use exchange::ExchangeError as Fault;
        match error {
            Fault::Entropy(_) | Fault::Internal(_) => Self::internal(error),
            Fault::ProviderKeys { retry_after, .. } => {
                Self::new(Code::Unavailable, PROVIDER_KEYS).retry_after(retry_after).because(error)
            }
            Fault::TooMany { retry_after } => Self::new(Code::RateLimited, RATE_LIMITED).retry_after(retry_after),
            Fault::Keyring(KeyringError::Clock(fault)) => Self::doubted_clock(&fault),
            Fault::Keyring(_) | Fault::NoSigner | Fault::Signing(_) | Fault::Store(_) => Self::unavailable(error),
        }
    }
}

impl From<ApplyRulesError> for Problem {
    fn from(error: ApplyRulesError) -> Self {
        match error {
            ApplyRulesError::Audience(_) | ApplyRulesError::Rule(_) => {
                Self::new(Code::InvalidRequest, error.to_string())
            }
            ApplyRulesError::Entropy(_) => Self::internal(error),
            ApplyRulesError::Store(_) => Self::unavailable(error),
        }
    }
}

impl From<PublicationError> for Problem {
    fn from(error: PublicationError) -> Self {
        match error {
            PublicationError::Failed(error) => error.into(),
            PublicationError::Field(field) => field.into(),
            PublicationError::Key => Self::new(
                Code::Forbidden,
                "key: unknown, expired or revoked, or not allowed to push this package to this registry",
            ),
            PublicationError::Exists => {
                Self::new(Code::PublicationExists, "this version of the package is already recorded")
            }
        }
    }
}

impl From<IssueRefusal> for Problem {
    fn from(refusal: IssueRefusal) -> Self {
        match refusal {
            IssueRefusal::AlgorithmNotOffered { requested, offered } => {
                let offered = offered.iter().map(|algorithm| algorithm.name()).collect::<Vec<_>>().join(", ");
                Self::new(
                    Code::AlgorithmNotAllowed,
                    format!("algorithm: this issuer does not sign with {requested}; request one of: {offered}"),
                )
            }
            IssueRefusal::AudienceRequired => Self::new(
                Code::AudienceRequired,
                "audience: missing; name the recipient of the token as audience=… in the query or \"audience\" in the body",
            ),
            IssueRefusal::BuildExists(id) => {
                let mut problem = Self::new(
                    Code::BuildExists,
                    "this client has already registered a build with this \"key\"; \"id\" is the id of that build",
                );
                problem.existing = Some(id.to_string());
                problem
            }
            IssueRefusal::BuildFinished => {
                Self::new(Code::BuildFinished, "the build is finished: no more tokens are issued to it")
            }
            IssueRefusal::Denied(denied) => denied.into(),
            IssueRefusal::ForbiddenAudience(audience) => {
                Self::new(Code::Forbidden, format!("this client may not request the audience {audience:?}"))
            }
            IssueRefusal::ForbiddenOrganization(org) => {
                Self::new(Code::Forbidden, format!("this client may not act for the organisation {org:?}"))
            }
            IssueRefusal::ForbiddenScope(scope) => {
                Self::new(Code::Forbidden, format!("this client lacks the scope {scope}"))
            }
            IssueRefusal::IdBound(kind) => Self::new(Code::IdBound, id_bound(kind)),
            IssueRefusal::IdsRequired => Self::new(
                Code::IdsRequired,
                "repo_id: missing, and the subject format needs the repository's immutable id; send it, \
                 or set issuer.subject = \"names\" if the CI has none",
            ),
            IssueRefusal::Invalid(field) => field.into(),
            IssueRefusal::LifetimeNotAllowed { rule, requested, allowed } => {
                lifetime_not_allowed(rule.as_deref(), requested, allowed)
            }
            IssueRefusal::NameBound { kind, name } => Self::new(Code::NameBound, name_bound(kind, &name)),
            IssueRefusal::NotFound => Self::new(Code::NotFound, NO_OBJECT_OF_CALLER),
            IssueRefusal::Quota(quota) => Self::new(Code::QuotaExceeded, quota_exceeded(&quota)),
            IssueRefusal::RateLimited { retry_after } => {
                Self::new(Code::RateLimited, RATE_LIMITED).retry_after(retry_after)
            }
            IssueRefusal::SubjectUnavailable(reason) => {
                Self::new(Code::SubjectUnavailable, format!("no subject for this build: {reason}"))
            }
            IssueRefusal::TokenTooLarge { bytes, largest } => {
                let largest: Vec<_> = largest.iter().map(|(name, size)| format!("{name} ({size} bytes)")).collect();
                Self::new(
                    Code::TokenTooLarge,
                    format!(
                        "the token would have {bytes} bytes, over the limit of {MAX_TOKEN_BYTES}; its largest claims are {}",
                        largest.join(", ")
                    ),
                )
            }
            IssueRefusal::Unauthenticated => Self::unauthenticated(),
        }
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::AlgorithmNotAllowed { rule, requested, allowed } => Self::new(
                Code::AlgorithmNotAllowed,
                format!("algorithm: {requested} is not allowed; the rule {rule:?} allows {allowed}"),
            ),
            Denied::AudienceNotAllowed { audience, reason } => {
                Self::new(Code::AudienceNotAllowed, audience_not_allowed(&audience, &reason))
            }
            Denied::LifetimeNotAllowed { rule, requested, allowed } => {
                lifetime_not_allowed(Some(&rule), requested, allowed)
            }
            Denied::RuleFailed { rule, failure } => Self::new(
                Code::AudienceNotAllowed,
                format!("could not evaluate the rule {rule:?}, so it grants nothing; the operator's log has the cause"),
            )
            .because(format!("rule {rule:?}: {failure}")),
            Denied::Untrusted { event, rules } => Self::new(Code::BuildUntrusted, build_untrusted(event, &rules)),
        }
    }
}

fn audience_not_allowed(audience: &str, reason: &AudienceDenied) -> String {
    match reason {
        AudienceDenied::Narrowed { allowed } => format!(
            "the audience {audience:?} is not among those that the build, its step or its client is limited to: {}",
            listed(allowed)
        ),
        AudienceDenied::Rules { rules } => format!(
            "the audience {audience:?} is granted by rules only, and no rule that lists it matches this build: {}",
            listed(rules)
        ),
        AudienceDenied::Several { rules } => format!(
            "the audience {audience:?} cannot be combined with others: no rule that lists all of them has \
             multiple = true ({}); request one audience at a time",
            listed(rules)
        ),
        AudienceDenied::Unlisted => {
            format!(
                "no rule grants the audience {audience:?}, and issuance.default is \"deny\"; ask the operator to add a rule"
            )
        }
    }
}

fn build_untrusted(event: Event, rules: &[String]) -> String {
    if event == Event::Delete {
        return "no token is issued to a build of a deleted branch or tag".to_owned();
    }
    let rules = if rules.is_empty() { String::new() } else { format!(" (listed by {})", listed(rules)) };
    format!(
        "this build is untrusted: it runs code that the repository has not accepted, such as a fork's pull request. \
         Tokens are issued to it only by a rule with allow_untrusted = true{rules}"
    )
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}

fn lifetime_not_allowed(rule: Option<&str>, requested: Seconds, allowed: Seconds) -> Problem {
    let by = rule.map(|rule| format!(" by the rule {rule:?}")).unwrap_or_default();
    let detail = format!(
        "lifetime: {} s requested, at most {} s allowed{by}; never longer than the time to the build's deadline",
        requested.get(),
        allowed.get()
    );
    Problem::new(Code::LifetimeNotAllowed, detail)
}

fn id_bound(kind: NameKind) -> String {
    let (field, noun) = id_field(kind);
    format!(
        "{field}: this id is bound to another {noun} name. If the {noun} was renamed, register with a client that may \
         act for both names, or ask the operator to run `buildpass names release`"
    )
}

fn name_bound(kind: NameKind, name: &str) -> String {
    let (field, noun) = id_field(kind);
    format!(
        "{field}: the {noun} name {name:?} is bound to another id, or its id is missing. If the name has a new owner, \
         ask the operator to run `buildpass names release`"
    )
}

const fn id_field(kind: NameKind) -> (&'static str, &'static str) {
    match kind {
        NameKind::Org => ("org_id", "organisation"),
        NameKind::Repo => ("repo_id", "repository"),
    }
}

fn quota_exceeded(quota: &Quota) -> String {
    match quota {
        Quota::Build { allowed } => format!("quota used up: {allowed} tokens of this build (limits.tokens_per_build)"),
        Quota::RequestToken { allowed } => format!("quota used up: {allowed} uses of this request token (max_uses)"),
        Quota::StepTokens { allowed } => format!(
            "quota used up: {allowed} valid step tokens of this build (limits.step_tokens_per_build): revoke those of \
             steps that have ended"
        ),
        Quota::Rule { rule, allowed } => {
            format!("quota used up: {allowed} tokens of this build by the rule {rule:?} (max_tokens_per_build)")
        }
    }
}
