//! Handlers of the public documents: the discovery document and the key set, served as prepared bytes. They must not be
//! served while they could mislead verifiers.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::super::caching;
use super::super::error::Problem;
use super::super::state::AppState;

pub(in super::super) async fn discovery(
    State(state): State<AppState>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    check_safe(&state)?;
    Ok(caching::document(&state.app.issuer().documents().discovery, &caching_of(&state), &headers))
}

pub(in super::super) async fn jwks(State(state): State<AppState>, headers: HeaderMap) -> Result<Response, Problem> {
    check_safe(&state)?;
    Ok(caching::document(&state.app.issuer().documents().jwks, &caching_of(&state), &headers))
}

fn caching_of(state: &AppState) -> HeaderValue {
    if state.app.issuer().documents_may_be_cached() {
        state.document_caching.clone()
    } else {
        HeaderValue::from_static("no-cache")
    }
}

fn check_safe(state: &AppState) -> Result<(), Problem> {
    if state.app.issuer().documents_are_safe() {
        Ok(())
    } else {
        Err(Problem::unavailable(
            "the documents may lack a key or be out of date, so they are not served; /health/ready has the reasons",
        ))
    }
}

/// Refuses interactive login, never with a redirect. The endpoint exists because OIDC Discovery requires the member
/// `authorization_endpoint`. The body has the members of RFC 6749 §4.1.2.1, and like every problem a `message`.
pub(in super::super) async fn authorize() -> Response {
    let detail = "this issuer issues tokens to CI builds and has no interactive login";
    let body = json!({
        "error": "unsupported_response_type", "error_description": detail, "message": detail,
    });
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}
