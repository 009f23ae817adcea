//! Handlers of `/api/v1/builds/{id}/request_tokens`: create and revoke request tokens of a build's steps.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::super::error::Problem;
use super::super::extract::{ClientOrWorker, PathParams, UnreadJson};
use super::super::state::AppState;
use crate::base::{BuildId, Moment, RequestTokenId};
use crate::claims::StepRequest;

#[derive(Serialize)]
struct CreateAnswer<'a> {
    id: RequestTokenId,
    request_token: &'a str,
    request_url: &'a str,
    expires_at: Moment,
    env: BTreeMap<&'a str, &'a str>,
}

pub(in super::super) async fn create(
    State(state): State<AppState>,
    ClientOrWorker(caller): ClientOrWorker,
    PathParams(build): PathParams<BuildId>,
    body: UnreadJson,
) -> Result<Response, Problem> {
    let issuer = state.app.issuer();
    let creator = issuer.step_token_creator(&caller, build).await?;
    let body = body.read::<StepRequest>(&state).await?;
    let created = issuer.create_step_token(creator, body.value).await?;
    let answer = CreateAnswer {
        id: created.id,
        request_token: created.environment.token().expose_secret(),
        request_url: created.environment.request_url(),
        expires_at: created.expires_at,
        env: created.environment.expose_secret().into_iter().collect(),
    };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

pub(in super::super) async fn revoke(
    State(state): State<AppState>,
    ClientOrWorker(caller): ClientOrWorker,
    PathParams((build, token)): PathParams<(BuildId, RequestTokenId)>,
) -> Result<StatusCode, Problem> {
    state.app.issuer().revoke_step_token(&caller, build, token).await?;
    Ok(StatusCode::NO_CONTENT)
}
