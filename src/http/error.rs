//! The only map from a refusal or a fault to status, public text and log level. Every text is written here by hand;
//! causes are for the log alone.

use std::borrow::Cow;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::base::{FieldError, Seconds};
use crate::issuer::{Declined, Error, Paths, Quota, Refusal};
use crate::policy::Denied;
use crate::store::NameKind;

/// The stable names of everything that can go wrong (`code` of a problem).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// The algorithm can't be had.
    AlgorithmNotAllowed,
    /// The audience can't be had.
    AudienceNotAllowed,
    /// No audience was named.
    AudienceRequired,
    /// The build is registered already.
    BuildExists,
    /// The build ended.
    BuildFinished,
    /// The build's code was not accepted in the repository yet.
    BuildUntrusted,
    /// Beyond what the client may do.
    Forbidden,
    /// The id is bound to another name.
    IdBound,
    /// The subject's format needs ids.
    IdsRequired,
    /// A fault of ours.
    Internal,
    /// The request can't be understood.
    InvalidRequest,
    /// The lifetime can't be had.
    LifetimeNotAllowed,
    /// Not by this method.
    MethodNotAllowed,
    /// The name is bound to another id.
    NameBound,
    /// Nothing here, or nothing for this caller.
    NotFound,
    /// The body is too large.
    PayloadTooLarge,
    /// A count is used up.
    QuotaExceeded,
    /// Too many requests.
    RateLimited,
    /// The request came too slowly.
    RequestTimeout,
    /// The build has no subject.
    SubjectUnavailable,
    /// The token would be too large.
    TokenTooLarge,
    /// No credential that opens this.
    Unauthenticated,
    /// We can't do it now.
    Unavailable,
    /// The body is not JSON.
    UnsupportedMediaType,
    /// The URL is too long.
    UriTooLong,
}

impl Code {
    /// Every code, for metrics and for the error table.
    pub const ALL: [Self; 25] = [
        Self::Unauthenticated,
        Self::Forbidden,
        Self::InvalidRequest,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::PayloadTooLarge,
        Self::UriTooLong,
        Self::UnsupportedMediaType,
        Self::BuildExists,
        Self::BuildFinished,
        Self::NameBound,
        Self::IdBound,
        Self::IdsRequired,
        Self::SubjectUnavailable,
        Self::TokenTooLarge,
        Self::AudienceRequired,
        Self::AudienceNotAllowed,
        Self::BuildUntrusted,
        Self::LifetimeNotAllowed,
        Self::AlgorithmNotAllowed,
        Self::QuotaExceeded,
        Self::RateLimited,
        Self::Internal,
        Self::Unavailable,
    ];

    /// Name, status and title.
    const fn row(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Self::AlgorithmNotAllowed => ("algorithm_not_allowed", StatusCode::FORBIDDEN, "Algorithm not allowed"),
            Self::AudienceNotAllowed => ("audience_not_allowed", StatusCode::FORBIDDEN, "Audience not allowed"),
            Self::AudienceRequired => ("audience_required", StatusCode::BAD_REQUEST, "Audience required"),
            Self::BuildExists => ("build_exists", StatusCode::CONFLICT, "Build exists"),
            Self::BuildFinished => ("build_finished", StatusCode::CONFLICT, "Build finished"),
            Self::BuildUntrusted => ("build_untrusted", StatusCode::FORBIDDEN, "Build untrusted"),
            Self::Forbidden => ("forbidden", StatusCode::FORBIDDEN, "Forbidden"),
            Self::IdBound => ("id_bound", StatusCode::CONFLICT, "Id bound to another name"),
            Self::IdsRequired => ("ids_required", StatusCode::UNPROCESSABLE_ENTITY, "Ids required"),
            Self::Internal => ("internal", StatusCode::INTERNAL_SERVER_ERROR, "Internal error"),
            Self::InvalidRequest => ("invalid_request", StatusCode::BAD_REQUEST, "Invalid request"),
            Self::LifetimeNotAllowed => ("lifetime_not_allowed", StatusCode::FORBIDDEN, "Lifetime not allowed"),
            Self::MethodNotAllowed => ("method_not_allowed", StatusCode::METHOD_NOT_ALLOWED, "Method not allowed"),
            Self::NameBound => ("name_bound", StatusCode::CONFLICT, "Name bound to another id"),
            Self::NotFound => ("not_found", StatusCode::NOT_FOUND, "Not found"),
            Self::PayloadTooLarge => ("payload_too_large", StatusCode::PAYLOAD_TOO_LARGE, "Payload too large"),
            Self::QuotaExceeded => ("quota_exceeded", StatusCode::FORBIDDEN, "Quota exceeded"),
            Self::RateLimited => ("rate_limited", StatusCode::TOO_MANY_REQUESTS, "Rate limited"),
            Self::RequestTimeout => ("request_timeout", StatusCode::REQUEST_TIMEOUT, "Request timeout"),
            Self::SubjectUnavailable => {
                ("subject_unavailable", StatusCode::UNPROCESSABLE_ENTITY, "Subject unavailable")
            }
            Self::TokenTooLarge => ("token_too_large", StatusCode::UNPROCESSABLE_ENTITY, "Token too large"),
            Self::Unauthenticated => ("unauthenticated", StatusCode::UNAUTHORIZED, "Unauthenticated"),
            Self::Unavailable => ("unavailable", StatusCode::SERVICE_UNAVAILABLE, "Unavailable"),
            Self::UnsupportedMediaType => {
                ("unsupported_media_type", StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported media type")
            }
            Self::UriTooLong => ("uri_too_long", StatusCode::URI_TOO_LONG, "URI too long"),
        }
    }

    /// The code as it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    /// Its status.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        self.row().1
    }
}

/// What a caller is told, before it knows its request id: [`layers`](super::layers) writes the body.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    pub(super) code: Code,
    detail: Cow<'static, str>,
    retry_after: Option<Seconds>,
    existing: Option<String>,
    /// For the log alone.
    pub(super) cause: Option<String>,
}

/// RFC 9457, with `error` and `message` for clients that show only these.
#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    error: &'a str,
    message: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
}

impl Problem {
    pub(super) fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { code, detail: detail.into(), retry_after: None, existing: None, cause: None }
    }

    fn because(mut self, cause: impl ToString) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    fn retry_after(mut self, wait: Seconds) -> Self {
        self.retry_after = Some(wait);
        self
    }

    pub(super) fn unauthenticated() -> Self {
        Self::new(
            Code::Unauthenticated,
            "no valid credential: send a client's id and secret as HTTP Basic, or this build's token as Bearer",
        )
    }

    pub(super) fn internal(cause: impl ToString) -> Self {
        Self::new(Code::Internal, "something went wrong here; tell the operator the request id").because(cause)
    }

    pub(super) fn unavailable(cause: impl ToString) -> Self {
        Self::new(Code::Unavailable, "can't be done now; try again soon").retry_after(Seconds::new(5)).because(cause)
    }

    /// The answer, body and all.
    pub(super) fn render(&self, paths: &Paths, request_id: &str) -> Response {
        let (code, status, title) = self.code.row();
        let detail = self.detail.as_ref();
        let body = Body {
            r#type: paths.problem(code),
            title,
            status: status.as_u16(),
            detail,
            code,
            error: detail,
            message: detail,
            request_id,
            id: self.existing.as_deref(),
        };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        let headers = response.headers_mut();
        if self.code == Code::Unauthenticated {
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"buildpass\""));
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.get()));
        }
        response
    }
}

/// Leaves the problem for the layer that knows the request id.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<FieldError> for Problem {
    fn from(field: FieldError) -> Self {
        Self::new(Code::InvalidRequest, field.to_string())
    }
}

impl From<Declined> for Problem {
    fn from(declined: Declined) -> Self {
        match declined {
            Declined::Failed(error) => error.into(),
            Declined::Refused(refusal) => refusal.into(),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Entropy(_) | Error::Internal(_) => Self::internal(error),
            Error::NoSigner(algorithm) => {
                Self::new(Code::Unavailable, format!("no key of {algorithm} signs now; try again later"))
                    .retry_after(Seconds::new(30))
                    .because(error)
            }
            Error::Keyring(_) | Error::Signing(_) | Error::Store(_) => Self::unavailable(error),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::AlgorithmNotOffered { asked, offered } => {
                let offered = offered.iter().map(|algorithm| algorithm.name()).collect::<Vec<_>>().join(", ");
                Self::new(
                    Code::AlgorithmNotAllowed,
                    format!("algorithm {asked} is not one that this issuer signs with; ask for one of: {offered}"),
                )
            }
            Refusal::AudienceRequired => Self::new(
                Code::AudienceRequired,
                "name the audience: who is the token for? Add audience=… to the query, or \"audience\" to the body",
            ),
            Refusal::BuildExists(id) => {
                let mut problem = Self::new(
                    Code::BuildExists,
                    "this client has registered a build with this key already; its id is in \"id\"",
                );
                problem.existing = Some(id.to_string());
                problem
            }
            Refusal::BuildFinished => Self::new(Code::BuildFinished, "the build has ended: it gets no more tokens"),
            Refusal::Denied(denied) => denied.into(),
            Refusal::ForbiddenAudience(audience) => {
                Self::new(Code::Forbidden, format!("this client may not address the audience {audience:?}"))
            }
            Refusal::ForbiddenOrganization(org) => {
                Self::new(Code::Forbidden, format!("this client may not act for the organisation {org:?}"))
            }
            Refusal::ForbiddenScope(scope) => {
                Self::new(Code::Forbidden, format!("this client lacks the scope {scope}"))
            }
            Refusal::IdBound(kind) => Self::new(Code::IdBound, id_bound(kind)),
            Refusal::IdsRequired => Self::new(
                Code::IdsRequired,
                "repo_id: the subject's format needs the repository's immutable id; send it, \
                 or set issuer.subject = \"names\" if the CI has none",
            ),
            Refusal::Invalid(field) => field.into(),
            Refusal::LifetimeNotAllowed { rule, asked, allowed } => {
                lifetime_not_allowed(rule.as_deref(), asked, allowed)
            }
            Refusal::NameBound { kind, name } => Self::new(Code::NameBound, name_bound(kind, &name)),
            Refusal::NotFound => Self::new(Code::NotFound, "there is no such thing here"),
            Refusal::Quota(quota) => Self::new(Code::QuotaExceeded, quota_exceeded(&quota)),
            Refusal::RateLimited { retry_after } => {
                Self::new(Code::RateLimited, "too many requests; wait as long as Retry-After says")
                    .retry_after(retry_after)
            }
            Refusal::SubjectUnavailable(reason) => {
                Self::new(Code::SubjectUnavailable, format!("this build has no subject: {reason}"))
            }
            Refusal::TokenTooLarge { bytes, largest } => {
                let largest: Vec<_> = largest.iter().map(|(name, size)| format!("{name} ({size} bytes)")).collect();
                Self::new(
                    Code::TokenTooLarge,
                    format!(
                        "the token would have {bytes} bytes and may have 8192; its largest claims are {}",
                        largest.join(", ")
                    ),
                )
            }
            Refusal::Unauthenticated => Self::unauthenticated(),
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
            Denied::AudienceNotAllowed { audience, .. } => Self::new(
                Code::AudienceNotAllowed,
                format!("no rule grants the audience {audience:?} to this build; the operator sets [[issuance.rules]]"),
            ),
            Denied::LifetimeNotAllowed { rule, asked, allowed } => lifetime_not_allowed(Some(&rule), asked, allowed),
            Denied::RuleFailed { rule, failure } => Self::new(
                Code::AudienceNotAllowed,
                format!("the rule {rule:?} could not be evaluated, so it grants nothing; the operator's log says why"),
            )
            .because(failure),
            Denied::Untrusted { .. } => Self::new(
                Code::BuildUntrusted,
                "this build runs code that was not accepted in the repository yet (a fork's pull request, for \
                 example): it gets a token only where a rule says allow_untrusted = true",
            ),
        }
    }
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
