//! A Tower layer and an axum extractor that require a valid bearer token (RFC 6750). A response never says why a token
//! was rejected.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::{FromRequestParts, Request};
use axum::http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use tower::{Layer, Service};

use super::{Requirements, TokenRefusal, VerifiedToken, Verifiers};

/// Tower layer that requires a valid token for one audience, and passes the [`VerifiedToken`] to the handlers. Tokens
/// of a provider with a `required_audience` are accepted only if that audience equals the layer's audience.
#[derive(Debug, Clone)]
pub struct RequireToken(Arc<TokenCheck>);

#[derive(Debug)]
struct TokenCheck {
    verifiers: Verifiers,
    audience: String,
}

impl RequireToken {
    /// Creates a layer that accepts tokens of the providers in `verifiers`, if `audience` is the token's only audience.
    #[must_use]
    pub fn new(verifiers: Verifiers, audience: impl Into<String>) -> Self {
        Self(Arc::new(TokenCheck { verifiers, audience: audience.into() }))
    }
}

impl<S> Layer<S> for RequireToken {
    type Service = RequireTokenService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireTokenService { check: Arc::clone(&self.0), inner }
    }
}

/// Service that [`RequireToken`] creates: passes a request with a valid token to the inner service, and rejects others.
#[derive(Debug, Clone)]
pub struct RequireTokenService<S> {
    check: Arc<TokenCheck>,
    inner: S,
}

impl<S> Service<Request> for RequireTokenService<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let check = Arc::clone(&self.check);
        // The service that was polled ready must be the one that is called.
        let waiting = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, waiting);
        Box::pin(async move {
            match check.verify(request.headers()).await {
                Ok(token) => {
                    request.extensions_mut().insert(token);
                    inner.call(request).await
                }
                Err(refused) => Ok(refused.into_response()),
            }
        })
    }
}

impl TokenCheck {
    async fn verify(&self, headers: &HeaderMap) -> Result<VerifiedToken, RequireTokenRejection> {
        let token = bearer(headers)?;
        let requirements = Requirements { audience: Some(&self.audience), ..Requirements::default() };
        self.verifiers.verify(token, &requirements).await.map_err(|refusal| {
            tracing::info!(reason = refusal.reason(), "a token was rejected");
            // The details hold text that the client wrote, so they are logged at debug level only.
            tracing::debug!(%refusal, "details of the rejected token");
            match refusal {
                TokenRefusal::KeysUnavailable { retry_after, .. } => RequireTokenRejection::Later(retry_after.get()),
                _ => RequireTokenRejection::InvalidToken,
            }
        })
    }
}

/// Returns the bearer token in the request's only `Authorization` header (RFC 6750 §2.1).
fn bearer(headers: &HeaderMap) -> Result<&str, RequireTokenRejection> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (None, _) => Err(RequireTokenRejection::NoToken),
        (Some(value), None) => {
            let (scheme, token) =
                value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(RequireTokenRejection::NoToken)?;
            if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(RequireTokenRejection::NoToken) }
        }
        (Some(_), Some(_)) => Err(RequireTokenRejection::InvalidToken),
    }
}

/// Response to a request without a valid bearer token (RFC 6750 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequireTokenRejection {
    /// The request has no bearer token. The status is 401.
    NoToken,
    /// The request's token was rejected. The status is 401.
    InvalidToken,
    /// The keys of the token's issuer are unavailable. The status is 503, with the number of seconds after which to
    /// retry.
    Later(u64),
}

impl IntoResponse for RequireTokenRejection {
    fn into_response(self) -> Response {
        match self {
            Self::NoToken => (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")]).into_response(),
            Self::InvalidToken => {
                (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, r#"Bearer error="invalid_token""#)]).into_response()
            }
            Self::Later(seconds) => {
                (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, seconds.to_string())]).into_response()
            }
        }
    }
}

/// Extracts the token that the layer [`RequireToken`] verified. Without the layer, every request is rejected.
impl<S: Send + Sync> FromRequestParts<S> for VerifiedToken {
    type Rejection = RequireTokenRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, RequireTokenRejection> {
        parts.extensions.get().cloned().ok_or(RequireTokenRejection::NoToken)
    }
}
