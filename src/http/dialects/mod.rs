//! The dialects of the exchange, one thin file each: parse, one call, answer. No policy and no SQL in any of them; each
//! maps every refusal to the words of the system that it speaks for.

pub(super) mod forward_auth;
pub(crate) mod forward_path;
pub(super) mod nuget;
pub(super) mod registry;
pub(super) mod rubygems;
pub(super) mod token_exchange;

use std::sync::Arc;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::de::DeserializeOwned;

use super::error::{Code, NO_SUCH_PATH, Noted, Problem};
use super::state::AppState;
use crate::base::Seconds;
use crate::exchange::{DisclosedRefusal, Exchange, ExchangeError};
use crate::jose::require_unique_members;

/// What a holder may read of a refusal whose words are fixed.
const REASON: HeaderName = HeaderName::from_static("x-buildpass-reason");

/// What may stand raw in a header of ours.
const PLAIN: &AsciiSet = &CONTROLS.add(b'%').add(b'"');

/// The exchange; its routes are there only while it is open.
fn exchange(state: &AppState) -> Result<&Arc<Exchange>, Problem> {
    state.app.exchange().ok_or_else(|| Problem::new(Code::NotFound, NO_SUCH_PATH))
}

/// A body that is one JSON object with no member twice; an array would be taken for the fields in their order.
fn object<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    require_unique_members(body).ok()?;
    serde_json::from_slice(body).ok()
}

/// The status of a fault of ours, and when to come again.
const fn fault(error: &ExchangeError) -> (StatusCode, Option<Seconds>) {
    match error {
        ExchangeError::Entropy(_) | ExchangeError::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, None),
        ExchangeError::ProviderKeys { retry_after, .. } => (StatusCode::SERVICE_UNAVAILABLE, Some(*retry_after)),
        ExchangeError::TooMany { retry_after } => (StatusCode::TOO_MANY_REQUESTS, Some(*retry_after)),
        ExchangeError::Keyring(_) | ExchangeError::NoSigner | ExchangeError::Signing(_) | ExchangeError::Store(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, Some(Seconds::new(5)))
        }
    }
}

/// Notes a fault for the log, and when to come again for the caller.
fn note_fault(response: &mut Response, error: &ExchangeError) {
    if let (_, Some(wait)) = fault(error) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.get()));
    }
    let noted = match error {
        // The caller's doing.
        ExchangeError::TooMany { .. } => Noted { code: "rate_limited", cause: None },
        _ => Noted { code: "exchange_unavailable", cause: Some(error.to_string()) },
    };
    response.extensions_mut().insert(noted);
}

/// Notes a refusal for the log, and for a holder what it may read.
fn note_refusal(response: &mut Response, refused: &DisclosedRefusal) {
    if let Some((claim, value)) = &refused.told {
        let words = format!("{claim}: {value}");
        let words = utf8_percent_encode(&words, PLAIN).to_string();
        if let Ok(value) = HeaderValue::from_str(words.get(..1_024).unwrap_or(&words)) {
            response.headers_mut().insert(REASON, value);
        }
    }
    response.extensions_mut().insert(Noted { code: refused.refusal.reason(), cause: None });
}
