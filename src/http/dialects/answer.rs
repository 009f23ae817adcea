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

/// Header with the disclosed part of a refusal: the failed claim and the claim's value. Some protocols fix the body's
/// text, so the body cannot hold this part.
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

/// Adds to a response the error, for the log, and the header `Retry-After`, for the client.
pub(super) fn note_error(response: &mut Response, error: &ExchangeError) {
    if let (_, Some(wait)) = status_of(error) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.get()));
    }
    let noted = match error {
        // The client caused this error, so the log needs no cause.
        ExchangeError::TooMany { .. } => Noted { code: "rate_limited", cause: None },
        _ => Noted { code: "exchange_unavailable", cause: Some(error.to_string()) },
    };
    response.extensions_mut().insert(noted);
}

/// Adds to a response the refusal, for the log, and a header with the disclosed part of the refusal, for the client.
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
