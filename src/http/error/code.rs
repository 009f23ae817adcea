//! The stable names of what can go wrong, with status and title.

use axum::http::StatusCode;

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
    /// The version was recorded before.
    PublicationExists,
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
    pub const ALL: [Self; 26] = [
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
        Self::PublicationExists,
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
    pub(super) const fn row(self) -> (&'static str, StatusCode, &'static str) {
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
            Self::PublicationExists => ("publication_exists", StatusCode::CONFLICT, "Publication exists"),
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
