//! Handler of `/metrics`, which must be reachable on the admin listener only.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::super::state::AppState;
use crate::telemetry::METRICS_CONTENT_TYPE;

pub(in super::super) async fn render(State(state): State<AppState>) -> Response {
    let (all, strangers) = state.bodies.held();
    state.app.issuer().metrics().bodies(all.saturating_sub(strangers), strangers);
    let text = state.app.issuer().render_metrics();
    ([(header::CONTENT_TYPE, METRICS_CONTENT_TYPE)], text).into_response()
}
