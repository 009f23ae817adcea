//! `/admin/v1/…`, only on the admin listener, for clients with the scope `admin`: users, providers, entitlements, issued
//! credentials and events. While no enabled client has the scope, every path answers 404.

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::super::error::{Code, NO_SUCH_OBJECT, NO_SUCH_PATH, Problem};
use super::super::extract::{ClientAuth, PathParams, QueryParams, UnreadJson};
use super::super::state::AppState;
use crate::base::{CredentialId, FieldError, Moment};
use crate::exchange::{ObjectError, Section, credential_view, revoke_credential};
use crate::policy::{Client, Scope};
use crate::store::{CredentialFilter, StoreError};

/// Maximum number of rows in one answer.
const MAX_ROWS: u32 = 1_000;

fn section(name: &str) -> Result<Section, Problem> {
    match name {
        "users" => Ok(Section::Users),
        "providers" => Ok(Section::Providers),
        "roles" => Ok(Section::Roles),
        "publishers" => Ok(Section::TrustedPublishers),
        "trust-policies" => Ok(Section::TrustPolicies),
        "grants" => Ok(Section::Grants),
        _ => Err(no_such_path()),
    }
}

fn limit(query: &mut QueryParams, default: u32) -> Result<u32, FieldError> {
    let Some(text) = query.one("limit")? else { return Ok(default) };
    let limit: u32 =
        text.parse().map_err(|_| FieldError::new("limit", format!("must be a number, up to {MAX_ROWS}")))?;
    Ok(limit.min(MAX_ROWS))
}

fn no_such_path() -> Problem {
    Problem::new(Code::NotFound, NO_SUCH_PATH)
}

fn not_found() -> Problem {
    Problem::new(Code::NotFound, NO_SUCH_OBJECT)
}

/// Client with the scope `admin` that sent the request. If no enabled client has the scope, the rejection is 404.
pub(in super::super) struct Admin(Client);

impl FromRequestParts<AppState> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let denied = match ClientAuth::from_request_parts(parts, state).await {
            Ok(ClientAuth(credential)) => match state.app.issuer().client(&credential, Scope::Admin).await {
                Ok(client) => return Ok(Self(client)),
                Err(error) => Problem::from(error),
            },
            Err(problem) => problem,
        };
        let exists = state.app.store().any_client_has(state.app.issuer().id(), Scope::Admin).await;
        Err(if exists.map_err(unavailable)? { denied } else { no_such_path() })
    }
}

impl Admin {
    /// Returns the name by which audit events call the client.
    fn actor(&self) -> String {
        format!("client {}", self.0.name)
    }
}

impl From<ObjectError> for Problem {
    fn from(error: ObjectError) -> Self {
        match error {
            ObjectError::Apply(error) => error.into(),
            ObjectError::Field(error) => error.into(),
            ObjectError::Missing => not_found(),
        }
    }
}

fn unavailable(error: StoreError) -> Problem {
    Problem::unavailable(error.to_string())
}

pub(in super::super) async fn list(
    State(state): State<AppState>,
    PathParams(name): PathParams<String>,
    _: Admin,
) -> Result<Response, Problem> {
    let items = state.app.rules_editor().list(section(&name)?).await.map_err(unavailable)?;
    Ok(Json(json!({ "items": items })).into_response())
}

pub(in super::super) async fn create(
    State(state): State<AppState>,
    PathParams(name): PathParams<String>,
    admin: Admin,
    body: UnreadJson,
) -> Result<Response, Problem> {
    let section = section(&name)?;
    let body = body.read::<Value>(&state).await?;
    let created = state.app.rules_editor().create(section, body.value, &admin.actor()).await?;
    Ok((StatusCode::CREATED, Json(created)).into_response())
}

pub(in super::super) async fn show(
    State(state): State<AppState>,
    PathParams((name, id)): PathParams<(String, String)>,
    _: Admin,
) -> Result<Response, Problem> {
    let found = state.app.rules_editor().get(section(&name)?, &id).await.map_err(unavailable)?;
    Ok(Json(found.ok_or_else(not_found)?).into_response())
}

pub(in super::super) async fn update(
    State(state): State<AppState>,
    PathParams((name, id)): PathParams<(String, String)>,
    admin: Admin,
    body: UnreadJson,
) -> Result<Response, Problem> {
    let section = section(&name)?;
    let body = body.read::<Value>(&state).await?;
    let updated = state.app.rules_editor().update(section, &id, body.value, &admin.actor()).await?;
    Ok(Json(updated).into_response())
}

pub(in super::super) async fn delete(
    State(state): State<AppState>,
    PathParams((name, id)): PathParams<(String, String)>,
    admin: Admin,
) -> Result<StatusCode, Problem> {
    state.app.rules_editor().delete(section(&name)?, &id, &admin.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(in super::super) async fn list_keys(
    State(state): State<AppState>,
    _: Admin,
    mut query: QueryParams,
) -> Result<Response, Problem> {
    let all = query.one("all")?.is_some_and(|all| all != "0");
    let filter = CredentialFilter {
        user: query.one("user")?,
        active_at: (!all).then(|| state.app.clock().now()),
        after: query.parsed("after")?,
        limit: Some(limit(&mut query, MAX_ROWS)?),
    };
    let found = state.app.store().list_credentials(state.app.issuer().id(), &filter).await;
    let found = found.map_err(unavailable)?;
    Ok(Json(json!({ "items": found.iter().map(credential_view).collect::<Vec<_>>() })).into_response())
}

fn key_id(text: &str) -> Result<CredentialId, Problem> {
    text.parse().map_err(|_| not_found())
}

pub(in super::super) async fn show_key(
    State(state): State<AppState>,
    PathParams(id): PathParams<String>,
    _: Admin,
) -> Result<Response, Problem> {
    let found = state.app.store().show_credential(state.app.issuer().id(), key_id(&id)?).await;
    let found = found.map_err(unavailable)?.ok_or_else(not_found)?;
    Ok(Json(credential_view(&found)).into_response())
}

pub(in super::super) async fn delete_key(
    State(state): State<AppState>,
    PathParams(id): PathParams<String>,
    admin: Admin,
) -> Result<StatusCode, Problem> {
    let id = key_id(&id)?;
    let store = (&**state.app.store(), state.app.issuer().id());
    let found = revoke_credential(store, id, &admin.actor(), state.app.entropy(), state.app.clock().now()).await?;
    if found { Ok(StatusCode::NO_CONTENT) } else { Err(not_found()) }
}

pub(in super::super) async fn events(
    State(state): State<AppState>,
    _: Admin,
    mut query: QueryParams,
) -> Result<Response, Problem> {
    let since = query.parsed("since")?.unwrap_or(Moment::from_unix(0));
    let limit = limit(&mut query, 100)?;
    let after = query.parsed("after")?;
    let found = state.app.store().list_events(state.app.issuer().id(), since, after, limit).await;
    let found = found.map_err(unavailable)?;
    Ok(Json(json!({ "items": found })).into_response())
}
