//! The error codes of the HTTP API, each with its status and title.

use axum::http::StatusCode;

/// Error code of the HTTP API: `code` of a problem. Names are stable; clients match on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::VariantArray)]
pub enum Code {
    /// The requested algorithm is not allowed.
    AlgorithmNotAllowed,
    /// The requested audience is not allowed.
    AudienceNotAllowed,
    /// The request names no audience.
    AudienceRequired,
    /// The client has registered a build under this key before.
    BuildExists,
    /// The build is finished.
    BuildFinished,
    /// The build runs code that the repository has not accepted.
    BuildUntrusted,
    /// The client lacks the scope, or may not act for the organisation or audience.
    Forbidden,
    /// The id is bound to another name.
    IdBound,
    /// The subject format needs an id that the request lacks.
    IdsRequired,
    /// An internal error.
    Internal,
    /// The request is malformed or has an invalid value.
    InvalidRequest,
    /// The requested lifetime is over the limit.
    LifetimeNotAllowed,
    /// The path has no such method.
    MethodNotAllowed,
    /// The name is bound to another id.
    NameBound,
    /// The object or path does not exist, or belongs to another client.
    NotFound,
    /// The body is too large.
    PayloadTooLarge,
    /// The version of the package has been recorded before.
    PublicationExists,
    /// A quota of tokens or uses is used up.
    QuotaExceeded,
    /// The caller sends too many requests.
    RateLimited,
    /// The body did not arrive within the time limit.
    RequestTimeout,
    /// The subject format needs a value that the build lacks.
    SubjectUnavailable,
    /// The token would exceed the size limit.
    TokenTooLarge,
    /// The credential is missing or not valid for this request.
    Unauthenticated,
    /// The server cannot answer at the moment.
    Unavailable,
    /// The body has the wrong media type.
    UnsupportedMediaType,
    /// The request target is too long.
    UriTooLong,
}

impl Code {
    /// Every code, in the order of their names.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// Returns name, status and title.
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

    /// Returns the stable name of the code.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    pub(super) const fn status(self) -> StatusCode {
        self.row().1
    }
}
