//! The error codes of the HTTP API, each with its status and title.

use axum::http::StatusCode;

/// Error code of the HTTP API: the member `code` of a problem. Codes have stable names, since clients match on the
/// names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Code {
    /// The requested signature algorithm is not allowed.
    AlgorithmNotAllowed,
    /// The requested audience is not allowed for the build.
    AudienceNotAllowed,
    /// The request for a token names no audience.
    AudienceRequired,
    /// The client has already registered a build under the same `key`.
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

    /// Returns the HTTP status and the problem's title.
    pub(super) const fn row(self) -> (StatusCode, &'static str) {
        match self {
            Self::AlgorithmNotAllowed => (StatusCode::FORBIDDEN, "Algorithm not allowed"),
            Self::AudienceNotAllowed => (StatusCode::FORBIDDEN, "Audience not allowed"),
            Self::AudienceRequired => (StatusCode::BAD_REQUEST, "Audience required"),
            Self::BuildExists => (StatusCode::CONFLICT, "Build exists"),
            Self::BuildFinished => (StatusCode::CONFLICT, "Build finished"),
            Self::BuildUntrusted => (StatusCode::FORBIDDEN, "Build untrusted"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "Forbidden"),
            Self::IdBound => (StatusCode::CONFLICT, "Id bound to another name"),
            Self::IdsRequired => (StatusCode::UNPROCESSABLE_ENTITY, "Ids required"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "Internal error"),
            Self::InvalidRequest => (StatusCode::BAD_REQUEST, "Invalid request"),
            Self::LifetimeNotAllowed => (StatusCode::FORBIDDEN, "Lifetime not allowed"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "Method not allowed"),
            Self::NameBound => (StatusCode::CONFLICT, "Name bound to another id"),
            Self::NotFound => (StatusCode::NOT_FOUND, "Not found"),
            Self::PayloadTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "Payload too large"),
            Self::PublicationExists => (StatusCode::CONFLICT, "Publication exists"),
            Self::QuotaExceeded => (StatusCode::FORBIDDEN, "Quota exceeded"),
            Self::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "Rate limited"),
            Self::RequestTimeout => (StatusCode::REQUEST_TIMEOUT, "Request timeout"),
            Self::SubjectUnavailable => (StatusCode::UNPROCESSABLE_ENTITY, "Subject unavailable"),
            Self::TokenTooLarge => (StatusCode::UNPROCESSABLE_ENTITY, "Token too large"),
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, "Unauthenticated"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "Unavailable"),
            Self::UnsupportedMediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported media type"),
            Self::UriTooLong => (StatusCode::URI_TOO_LONG, "URI too long"),
        }
    }

    /// Returns the stable name of the code.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }

    pub(super) const fn status(self) -> StatusCode {
        self.row().0
    }
}
