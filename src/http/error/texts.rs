//! What a caller is told of each refusal and fault: which field or rule, what was asked, what would be right.

use super::code::Code;
use super::problem::Problem;
use crate::base::{FieldError, Seconds};
use crate::claims::Event;
use crate::exchange::{self, ApplyRulesError, PublicationError};
use crate::issuer::{IssueError, IssueRefusal, NotIssued, Quota};
use crate::policy::{AudienceBar, Denied};
use crate::store::NameKind;

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
            IssueError::NoSigner { wanted, signs_in } => {
                let key = wanted.map_or_else(|| "no key".to_owned(), |alg| format!("no key of {alg}"));
                let when = if signs_in.is_some() { "the first is announced; try again" } else { "try again" };
                Self::new(Code::Unavailable, format!("{key} signs now; {when} when Retry-After is over"))
                    .retry_after(signs_in.unwrap_or(Seconds::new(30)).max(Seconds::new(1)))
                    .because(error)
            }
            IssueError::ProviderKeys { retry_after, .. } => {
                Self::new(Code::Unavailable, "the keys that would tell whose token this is can't be had now; try again")
                    .retry_after(retry_after)
                    .because(error)
            }
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
                Self::new(Code::Unavailable, "the keys that would tell whose token this is can't be had now; try again")
                    .retry_after(retry_after)
                    .because(error)
            }
            Fault::TooMany { retry_after } => {
                Self::new(Code::RateLimited, "too many requests; wait as long as Retry-After says")
                    .retry_after(retry_after)
            }
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
                "key: opens nothing of this registry's now, or is not for pushing this package",
            ),
            PublicationError::Exists => {
                Self::new(Code::PublicationExists, "this version of the package was recorded before")
            }
        }
    }
}

impl From<IssueRefusal> for Problem {
    fn from(refusal: IssueRefusal) -> Self {
        match refusal {
            IssueRefusal::AlgorithmNotOffered { asked, offered } => {
                let offered = offered.iter().map(|algorithm| algorithm.name()).collect::<Vec<_>>().join(", ");
                Self::new(
                    Code::AlgorithmNotAllowed,
                    format!("algorithm {asked} is not one that this issuer signs with; ask for one of: {offered}"),
                )
            }
            IssueRefusal::AudienceRequired => Self::new(
                Code::AudienceRequired,
                "name the audience: who is the token for? Add audience=… to the query, or \"audience\" to the body",
            ),
            IssueRefusal::BuildExists(id) => {
                let mut problem = Self::new(
                    Code::BuildExists,
                    "this client has registered a build with this key already; its id is in \"id\"",
                );
                problem.existing = Some(id.to_string());
                problem
            }
            IssueRefusal::BuildFinished => {
                Self::new(Code::BuildFinished, "the build has ended: it gets no more tokens")
            }
            IssueRefusal::Denied(denied) => denied.into(),
            IssueRefusal::ForbiddenAudience(audience) => {
                Self::new(Code::Forbidden, format!("this client may not address the audience {audience:?}"))
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
                "repo_id: the subject's format needs the repository's immutable id; send it, \
                 or set issuer.subject = \"names\" if the CI has none",
            ),
            IssueRefusal::Invalid(field) => field.into(),
            IssueRefusal::LifetimeNotAllowed { rule, asked, allowed } => {
                lifetime_not_allowed(rule.as_deref(), asked, allowed)
            }
            IssueRefusal::NameBound { kind, name } => Self::new(Code::NameBound, name_bound(kind, &name)),
            IssueRefusal::NotFound => Self::new(Code::NotFound, "there is no such thing here"),
            IssueRefusal::Quota(quota) => Self::new(Code::QuotaExceeded, quota_exceeded(&quota)),
            IssueRefusal::RateLimited { retry_after } => {
                Self::new(Code::RateLimited, "too many requests; wait as long as Retry-After says")
                    .retry_after(retry_after)
            }
            IssueRefusal::SubjectUnavailable(reason) => {
                Self::new(Code::SubjectUnavailable, format!("this build has no subject: {reason}"))
            }
            IssueRefusal::TokenTooLarge { bytes, largest } => {
                let largest: Vec<_> = largest.iter().map(|(name, size)| format!("{name} ({size} bytes)")).collect();
                Self::new(
                    Code::TokenTooLarge,
                    format!(
                        "the token would have {bytes} bytes and may have 8192; its largest claims are {}",
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
            Denied::AlgorithmNotAllowed { rule, asked, allowed } => Self::new(
                Code::AlgorithmNotAllowed,
                format!("algorithm {asked} was asked for; the rule {rule:?} allows {allowed}"),
            ),
            Denied::AudienceNotAllowed { audience, because } => {
                Self::new(Code::AudienceNotAllowed, audience_not_allowed(&audience, &because))
            }
            Denied::LifetimeNotAllowed { rule, asked, allowed } => lifetime_not_allowed(Some(&rule), asked, allowed),
            Denied::RuleFailed { rule, failure } => Self::new(
                Code::AudienceNotAllowed,
                format!("the rule {rule:?} could not be evaluated, so it grants nothing; the operator's log says why"),
            )
            .because(format!("rule {rule:?}: {failure}")),
            Denied::Untrusted { event, rules } => Self::new(Code::BuildUntrusted, build_untrusted(event, &rules)),
        }
    }
}

fn audience_not_allowed(audience: &str, because: &AudienceBar) -> String {
    match because {
        AudienceBar::Narrowed { allowed } => format!(
            "the audience {audience:?} is not among those that the build, its step or its client is narrowed to: {}",
            listed(allowed)
        ),
        AudienceBar::Rules { rules } => format!(
            "the audience {audience:?} is granted by rules alone, and none that lists it is true of this build: {}",
            listed(rules)
        ),
        AudienceBar::Several { rules } => format!(
            "the audience {audience:?} can't be had together with others: no rule that lists all of them says \
             multiple = true ({}); ask for one audience at a time",
            listed(rules)
        ),
        AudienceBar::Unlisted => {
            format!(
                "no rule grants the audience {audience:?}, and issuance.default is \"deny\"; the operator sets rules"
            )
        }
    }
}

fn build_untrusted(event: Event, rules: &[String]) -> String {
    if event == Event::Delete {
        return "a build for a deleted branch or tag gets no token".to_owned();
    }
    let rules = if rules.is_empty() { String::new() } else { format!(" (listed by {})", listed(rules)) };
    format!(
        "this build runs code that was not accepted in the repository yet (a fork's pull request, for example): it gets \
         a token only where a rule says allow_untrusted = true{rules}"
    )
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}

fn lifetime_not_allowed(rule: Option<&str>, asked: Seconds, allowed: Seconds) -> Problem {
    let by = rule.map(|rule| format!(" by the rule {rule:?}")).unwrap_or_default();
    let detail = format!(
        "lifetime: {} s were asked for; at most {} s are allowed{by}, and never more than the build has left",
        asked.get(),
        allowed.get()
    );
    Problem::new(Code::LifetimeNotAllowed, detail)
}

fn id_bound(kind: NameKind) -> String {
    let (field, noun) = id_field(kind);
    format!(
        "{field}: this id is bound to another {noun} name. After a rename, a client that may act for both names \
         registers the new one; otherwise the operator runs `buildpass names release`"
    )
}

fn name_bound(kind: NameKind, name: &str) -> String {
    let (field, noun) = id_field(kind);
    format!(
        "{field}: the {noun} name {name:?} is bound to another id, or came without its id. If the name has a new \
         owner, the operator runs `buildpass names release`"
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
        Quota::Build { allowed } => format!("this build has had its {allowed} tokens (limits.tokens_per_build)"),
        Quota::RequestToken { allowed } => format!("this request token has been used {allowed} times (max_uses)"),
        Quota::Rule { rule, allowed } => {
            format!("this build has had its {allowed} tokens by the rule {rule:?} (max_tokens_per_build)")
        }
    }
}
