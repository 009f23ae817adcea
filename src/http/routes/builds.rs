//! Handlers of `/api/v1/builds`: register, show and finish a build.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::super::error::Problem;
use super::super::extract::{ClientAuth, PathParams, UnreadJson};
use super::super::state::AppState;
use crate::base::{BuildId, Moment};
use crate::claims::Registration;
use crate::policy::Scope;
use crate::store::{BuildState, Finish};

#[derive(Serialize)]
struct RegisterAnswer<'a> {
    id: BuildId,
    issuer: &'a str,
    subject: Option<&'a str>,
    warnings: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    worker_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_token: Option<&'a str>,
    expires_at: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    env: Option<BTreeMap<&'a str, &'a str>>,
}

pub(in super::super) async fn register(
    State(state): State<AppState>,
    ClientAuth(credential): ClientAuth,
    body: UnreadJson,
) -> Result<Response, Problem> {
    let issuer = state.app.issuer();
    let client = issuer.client(&credential, Scope::BuildsWrite).await?;
    let body = body.read::<Registration>(&state).await?;
    let registered = issuer.register_build(&client, body.value, body.digest).await?;
    let environment = registered.environment.as_ref();
    let answer = RegisterAnswer {
        id: registered.id,
        issuer: issuer.url().as_str(),
        subject: registered.subject.as_deref(),
        warnings: &registered.warnings,
        worker_token: registered.worker_token.as_ref().map(|token| token.expose_secret().as_str()),
        request_url: environment.map(|environment| environment.request_url()),
        request_token: environment.map(|environment| environment.token().expose_secret().as_str()),
        expires_at: registered.expires_at,
        env: environment.map(|environment| environment.expose_secret().into_iter().collect()),
    };
    let status = if registered.repeated { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(answer)).into_response())
}

#[derive(Serialize)]
struct ShowAnswer {
    id: BuildId,
    state: BuildState,
    status: Option<Finish>,
    subject: Option<String>,
    tokens_issued: u64,
    registered_at: Moment,
    expires_at: Moment,
}

pub(in super::super) async fn show(
    State(state): State<AppState>,
    ClientAuth(credential): ClientAuth,
    PathParams(id): PathParams<BuildId>,
) -> Result<Response, Problem> {
    let shown = state.app.issuer().show_build(&credential, id).await?;
    let answer = ShowAnswer {
        id,
        state: shown.state,
        status: shown.build.finished.map(|(_, status)| status),
        subject: shown.subject,
        tokens_issued: shown.build.tokens_issued,
        registered_at: shown.build.registered_at,
        expires_at: shown.build.deadline,
    };
    Ok(Json(answer).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FinishBody {
    status: Finish,
}

pub(in super::super) async fn finish(
    State(state): State<AppState>,
    ClientAuth(credential): ClientAuth,
    PathParams(id): PathParams<BuildId>,
    body: UnreadJson,
) -> Result<StatusCode, Problem> {
    let issuer = state.app.issuer();
    let client = issuer.client(&credential, Scope::BuildsWrite).await?;
    let body = body.read::<FinishBody>(&state).await?;
    issuer.finish_build(&client, id, body.value.status).await?;
    Ok(StatusCode::NO_CONTENT)
}
