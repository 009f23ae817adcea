//! The public documents, as prepared bytes; refused while they could mislead.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::super::caching;
use super::super::error::Problem;
use super::super::state::AppState;

pub(in super::super) async fn discovery(
    State(state): State<AppState>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let issuer = state.app.issuer();
    safe(&state)?;
    Ok(caching::document(&issuer.documents().discovery, &state.document_caching, &headers))
}

pub(in super::super) async fn jwks(State(state): State<AppState>, headers: HeaderMap) -> Result<Response, Problem> {
    let issuer = state.app.issuer();
    safe(&state)?;
    Ok(caching::document(&issuer.documents().jwks, &state.document_caching, &headers))
}

fn safe(state: &AppState) -> Result<(), Problem> {
    if state.app.issuer().documents_are_safe() {
        Ok(())
    } else {
        Err(Problem::unavailable("the documents could mislead; /health/ready says why"))
    }
}

/// Discovery requires the member `authorization_endpoint`; there is no interactive login, and never a redirect.
/// The body is that of RFC 6749 §4.1.2.1 with the members of our own problems.
pub(in super::super) async fn authorize() -> Response {
    let detail = "this issuer signs tokens for CI builds; it has no interactive login";
    let body = json!({
        "error": "unsupported_response_type", "error_description": detail, "message": detail,
    });
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}
