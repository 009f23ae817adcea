//! `/api/v1/builds/{id}/request_tokens`: step tokens, made and ended.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::super::error::{Code, Problem};
use super::super::extract::{EitherCaller, JsonBody, PathOf};
use super::super::state::AppState;
use crate::base::{BuildId, Moment, RequestTokenId};
use crate::claims::StepRequest;

#[derive(Serialize)]
struct CreatedToken<'a> {
    id: RequestTokenId,
    request_token: &'a str,
    request_url: &'a str,
    expires_at: Moment,
    env: BTreeMap<&'a str, &'a str>,
}

pub(in super::super) async fn create(
    State(state): State<AppState>,
    EitherCaller(caller): EitherCaller,
    PathOf(build): PathOf<BuildId>,
    body: JsonBody<StepRequest>,
) -> Result<Response, Problem> {
    let made = state.app.issuer().create_step_token(&caller, build, body.value).await?;
    let answer = CreatedToken {
        id: made.id,
        request_token: made.environment.token().expose_secret(),
        request_url: made.environment.request_url(),
        expires_at: made.expires_at,
        env: made.environment.expose_secret().into_iter().collect(),
    };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

pub(in super::super) async fn end(
    State(state): State<AppState>,
    EitherCaller(caller): EitherCaller,
    path: Result<axum::extract::Path<(String, String)>, axum::extract::rejection::PathRejection>,
) -> Result<StatusCode, Problem> {
    let not_found = || Problem::new(Code::NotFound, "there is no such thing here");
    let axum::extract::Path((build, token)) = path.map_err(|_| not_found())?;
    let (build, token) = (build.parse().map_err(|_| not_found())?, token.parse().map_err(|_| not_found())?);
    state.app.issuer().end_step_token(&caller, build, token).await?;
    Ok(StatusCode::NO_CONTENT)
}
