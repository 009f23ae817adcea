//! Functions that several dialects use to read requests and to write answers.

use std::sync::Arc;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::de::DeserializeOwned;

use super::super::error::{Code, NO_SUCH_PATH, Noted, Problem};
use super::super::state::AppState;
use crate::base::Seconds;
use crate::exchange::{DisclosedRefusal, Exchange, ExchangeError};
use crate::jose::require_unique_members;

/// Header with the reason of a refusal or failure: the failed claim and its value, or the party that caused the
/// failure. It is a header because some protocols fix the body's text or have no body.
const REASON: HeaderName = HeaderName::from_static("x-buildpass-reason");

/// Characters that are percent-encoded in the header `x-buildpass-reason`.
const PLAIN: &AsciiSet = &CONTROLS.add(b'%').add(b'"');

/// Returns the exchange, or a 404 problem if the exchange is disabled.
pub(super) fn exchange(state: &AppState) -> Result<&Arc<Exchange>, Problem> {
    state.app.exchange().ok_or_else(|| Problem::new(Code::NotFound, NO_SUCH_PATH))
}

/// Parses a body that is a JSON object without duplicate members. Returns `None` for all other bodies: serde alone
/// would read an array as the fields in order.
pub(super) fn object<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    require_unique_members(body).ok()?;
    serde_json::from_slice(body).ok()
}

/// Returns HTTP status and `Retry-After` for a failure of the exchange.
pub(super) const fn status_of(error: &ExchangeError) -> (StatusCode, Option<Seconds>) {
    match error {
        ExchangeError::Entropy(_) | ExchangeError::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, None),
        ExchangeError::ProviderKeys { retry_after, .. } => (StatusCode::SERVICE_UNAVAILABLE, Some(*retry_after)),
        ExchangeError::TooMany { retry_after } => (StatusCode::TOO_MANY_REQUESTS, Some(*retry_after)),
        ExchangeError::Keyring(_) | ExchangeError::NoSigner | ExchangeError::Signing(_) | ExchangeError::Store(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, Some(Seconds::new(5)))
        }
    }
}

/// The party that caused a failure of the exchange. All protocols answer the same text for a party, with error codes of
/// their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The caller sends too many requests.
    Caller,
    /// The signing keys of the token's issuer could not be fetched.
    IdentityProvider,
    /// This server, its database or its signing keys failed.
    Server,
}

impl Trouble {
    pub(super) const fn of(error: &ExchangeError) -> Self {
        match error {
            ExchangeError::ProviderKeys { .. } => Self::IdentityProvider,
            ExchangeError::TooMany { .. } => Self::Caller,
            ExchangeError::Entropy(_)
            | ExchangeError::Internal(_)
            | ExchangeError::Keyring(_)
            | ExchangeError::NoSigner
            | ExchangeError::Signing(_)
            | ExchangeError::Store(_) => Self::Server,
        }
    }

    /// Returns the public text, which names only the party that caused the failure.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Caller => "Too many requests; try again later",
            Self::IdentityProvider => "The identity provider is unavailable: its signing keys could not be fetched",
            Self::Server => "This server or its database is unavailable at the moment",
        }
    }
}

/// Adds the error to a response, for the log. Adds the headers `Retry-After` and `x-buildpass-reason`, for the client.
pub(super) fn note_error(response: &mut Response, error: &ExchangeError) {
    response.headers_mut().insert(REASON, HeaderValue::from_static(Trouble::of(error).text()));
    if let (_, Some(wait)) = status_of(error) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.get()));
    }
    let noted = match error {
        // The client caused this error, so the log needs no cause.
        ExchangeError::TooMany { .. } => Noted { code: Code::RateLimited.name(), cause: None },
        _ => Noted { code: "exchange_unavailable", cause: Some(error.to_string()) },
    };
    response.extensions_mut().insert(noted);
}

/// Adds the refusal to a response, for the log. Adds a header with the disclosed part of the refusal, for the client.
pub(super) fn note_refusal(response: &mut Response, refused: &DisclosedRefusal) {
    if let Some((claim, value)) = &refused.disclosed {
        let words = format!("{claim}: {value}");
        let words = utf8_percent_encode(&words, PLAIN).to_string();
        if let Ok(value) = HeaderValue::from_str(words.get(..1_024).unwrap_or(&words)) {
            response.headers_mut().insert(REASON, value);
        }
    }
    response.extensions_mut().insert(Noted { code: refused.refusal.reason(), cause: None });
}
