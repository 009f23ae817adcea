//! A door for axum that only bearers of a good token pass (RFC 6750): a tower layer, and an extractor behind it. Tells a
//! stranger nothing but that the token was not taken.

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

/// Lets in who brings a good token for this audience, which a provider's `required_audience` must be too; gives the
/// [`VerifiedToken`] to the handlers behind it.
#[derive(Debug, Clone)]
pub struct RequireToken(Arc<TokenCheck>);

#[derive(Debug)]
struct TokenCheck {
    verifiers: Verifiers,
    audience: String,
}

impl RequireToken {
    /// A door for tokens of these providers whose only audience is this one.
    #[must_use]
    pub fn new(verifiers: Verifiers, audience: impl Into<String>) -> Self {
        Self(Arc::new(TokenCheck { verifiers, audience: audience.into() }))
    }
}

impl<S> Layer<S> for RequireToken {
    type Service = RequireTokenService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireTokenService { door: Arc::clone(&self.0), inner }
    }
}

/// The service that [`RequireToken`] makes.
#[derive(Debug, Clone)]
pub struct RequireTokenService<S> {
    door: Arc<TokenCheck>,
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
        let door = Arc::clone(&self.door);
        // The one that was ready is the one to be called.
        let waiting = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, waiting);
        Box::pin(async move {
            match door.judge(request.headers()).await {
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
    async fn judge(&self, headers: &HeaderMap) -> Result<VerifiedToken, RequireTokenRejection> {
        let token = bearer(headers)?;
        let requirements = Requirements { audience: Some(&self.audience), ..Requirements::default() };
        self.verifiers.verify(token, &requirements).await.map_err(|refusal| {
            tracing::info!(reason = refusal.reason(), "a token was not taken");
            // What a stranger wrote in it is for those alone who look for it.
            tracing::debug!(%refusal, "what was expected and found");
            match refusal {
                TokenRefusal::KeysUnavailable { retry_after, .. } => RequireTokenRejection::Later(retry_after.get()),
                _ => RequireTokenRejection::InvalidToken,
            }
        })
    }
}

/// The token of the one `Authorization` header (RFC 6750 §2.1).
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

/// Why nobody came in, as far as a stranger may know (RFC 6750 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequireTokenRejection {
    /// No token was brought.
    NoToken,
    /// It was not taken.
    InvalidToken,
    /// Nobody can tell now; after so many seconds perhaps.
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

/// The token that the layer let in. Behind no layer there is none, and nobody comes in.
impl<S: Send + Sync> FromRequestParts<S> for VerifiedToken {
    type Rejection = RequireTokenRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, RequireTokenRejection> {
        parts.extensions.get().cloned().ok_or(RequireTokenRejection::NoToken)
    }
}
