//! `/api/v1/publications`: records the packages that registries report as pushed with a key.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::super::error::{Code, NO_SUCH_PATH, Problem};
use super::super::extract::{ClientAuth, UnreadJson};
use super::super::state::AppState;
use crate::exchange::PublicationRequest;
use crate::policy::Scope;

pub(in super::super) async fn record(
    State(state): State<AppState>,
    ClientAuth(credential): ClientAuth,
    body: UnreadJson,
) -> Result<Response, Problem> {
    let exchange = state.app.exchange().ok_or_else(|| Problem::new(Code::NotFound, NO_SUCH_PATH))?;
    let client = state.app.issuer().client(&credential, Scope::PublicationsWrite).await?;
    let body = body.read::<PublicationRequest>(&state).await?;
    let recorded = exchange.publish(&client, body.value).await?;
    let answer = json!({
        "ecosystem": recorded.ecosystem, "package": recorded.package, "version": recorded.version,
        "digest": recorded.digest, "audience": recorded.audience, "key_id": recorded.credential,
        "published_at": recorded.published_at,
    });
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}
