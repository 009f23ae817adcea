//! The error codes of the HTTP API, each with its status and title.

use axum::http::StatusCode;

/// Error code of the HTTP API: the member `code` of a problem. Codes have stable names, since clients match on the
/// names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::VariantArray)]
pub enum Code {
    /// The requested signature algorithm is not allowed.
    AlgorithmNotAllowed,
    /// The requested audience is not allowed for the build.
    AudienceNotAllowed,
    /// The request for a token names no audience.
    AudienceRequired,
    /// The client has already registered a build with the key of this request.
    BuildExists,
    /// The build is finished, so that no more tokens are issued to the build.
    BuildFinished,
    /// The build runs code that the repository has not accepted.
    BuildUntrusted,
    /// The client lacks the scope that the request needs, or may not act for the organisation or audience.
    Forbidden,
    /// The organisation's or repository's id is bound to another name.
    IdBound,
    /// The configured subject format needs a repository id that the request lacks.
    IdsRequired,
    /// The server failed because of an internal error.
    Internal,
    /// The request is malformed or has an invalid value.
    InvalidRequest,
    /// The requested token lifetime is over the limit.
    LifetimeNotAllowed,
    /// The path does not support the method of the request.
    MethodNotAllowed,
    /// The organisation's or repository's name is bound to another id.
    NameBound,
    /// The path does not exist, or the object does not exist or belongs to another client.
    NotFound,
    /// The request body is too large.
    PayloadTooLarge,
    /// The version of the package has been recorded before.
    PublicationExists,
    /// A quota is used up: tokens of a build, or uses of a request token.
    QuotaExceeded,
    /// The caller sends too many requests.
    RateLimited,
    /// The request body did not arrive within the time limit.
    RequestTimeout,
    /// The configured subject format needs a value that the build lacks.
    SubjectUnavailable,
    /// The requested token would exceed the size limit.
    TokenTooLarge,
    /// The credential is missing or not valid for this request.
    Unauthenticated,
    /// The server cannot answer the request at the moment.
    Unavailable,
    /// The request body has the wrong media type.
    UnsupportedMediaType,
    /// The request target is too long.
    UriTooLong,
}

impl Code {
    /// All codes, sorted by name.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// Returns the code's stable name, the HTTP status and the problem's title.
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
