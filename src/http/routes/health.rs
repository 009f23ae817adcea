//! Handlers of `/health/live` and `/health/ready`, for load balancers and orchestrators.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::super::state::AppState;
use crate::issuer::Readiness;

pub(in super::super) async fn live() -> Response {
    Json(json!({"status": "live"})).into_response()
}

pub(in super::super) async fn ready(State(state): State<AppState>) -> Response {
    if state.is_leaving() {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(Readiness::leaving())).into_response();
    }
    let readiness = state.app.issuer().readiness();
    let status = if readiness.is_in_service() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness)).into_response()
}
