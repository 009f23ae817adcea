//! `/admin/v1/…`, on the admin listener alone, for clients with the scope `admin`: what tokens may be traded for, the
//! keys that were given, and what operators read. While no client has the scope there is nothing here.

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::super::error::{Code, NO_SUCH_PATH, NOT_FOUND, Problem};
use super::super::extract::{JsonBody, OfClient, PathOf, QueryOf};
use super::super::state::AppState;
use crate::base::{CredentialId, FieldError, Moment};
use crate::exchange::{
    Applied, ChangeKind, ChangeSet, Precondition, Prune, Section, is_same, leave_written, one_object, owner,
    revoke_credential, shown_credential, shown_rules,
};
use crate::policy::{Client, Scope};
use crate::store::CredentialFilter;

/// Most rows of one answer.
const MOST: u32 = 1_000;

/// The section that a path names.
fn section(name: &str) -> Result<Section, Problem> {
    match name {
        "users" => Ok(Section::Users),
        "providers" => Ok(Section::Providers),
        "roles" => Ok(Section::Roles),
        "trusted-publishers" => Ok(Section::TrustedPublishers),
        "policies" => Ok(Section::TrustPolicies),
        "grants" => Ok(Section::Grants),
        _ => Err(nothing()),
    }
}

fn limit(query: &mut QueryOf, default: u32) -> Result<u32, FieldError> {
    let Some(text) = query.one("limit")? else { return Ok(default) };
    let limit: u32 = text.parse().map_err(|_| FieldError::new("limit", format!("must be a number, up to {MOST}")))?;
    Ok(limit.min(MOST))
}

fn nothing() -> Problem {
    Problem::new(Code::NotFound, NO_SUCH_PATH)
}

fn no_such() -> Problem {
    Problem::new(Code::NotFound, NOT_FOUND)
}

/// The client that asks. While there is none that could be an admin, there is nothing here for anybody.
pub(in super::super) struct Admin(Client);

impl FromRequestParts<AppState> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let clients = state.app.store().list_clients(state.app.issuer().id()).await;
        let clients = clients.map_err(|error| Problem::unavailable(error.to_string()))?;
        let is_admin = |client: &Client| client.disabled_at.is_none() && client.has(Scope::Admin);
        if !clients.iter().any(is_admin) {
            return Err(nothing());
        }
        let OfClient(credential) = OfClient::from_request_parts(parts, state).await?;
        Ok(Self(state.app.issuer().client(&credential, Scope::Admin).await?))
    }
}

/// The things of a section as they stand.
async fn standing(state: &AppState, section: Section) -> Result<Vec<Map<String, Value>>, Problem> {
    let standing = state.app.rules_editor().standing().await;
    let standing = standing.map_err(|error| Problem::unavailable(error.to_string()))?;
    Ok(shown_rules(&standing, section))
}

/// Users and providers go by their names, all others by their ids.
fn id(object: &Map<String, Value>) -> Option<&str> {
    object.get("id").or_else(|| object.get("name")).and_then(Value::as_str)
}

async fn find(state: &AppState, section: Section, wanted: &str) -> Result<Map<String, Value>, Problem> {
    let standing = standing(state, section).await?;
    standing.into_iter().find(|object| id(object) == Some(wanted)).ok_or_else(no_such)
}

async fn bring(state: &AppState, by: &Client, bring: ChangeSet) -> Result<Applied, Problem> {
    Ok(state.app.rules_editor().apply(&bring, &format!("client {}", by.name), false).await?)
}

pub(in super::super) async fn list(
    State(state): State<AppState>,
    PathOf(name): PathOf<String>,
    _: Admin,
) -> Result<Response, Problem> {
    let section = section(&name)?;
    Ok(Json(json!({ "items": standing(&state, section).await? })).into_response())
}

pub(in super::super) async fn create(
    State(state): State<AppState>,
    PathOf(name): PathOf<String>,
    Admin(by): Admin,
    body: JsonBody<Value>,
) -> Result<Response, Problem> {
    let section = section(&name)?;
    let file = one_object(section, body.value)?;
    let Applied(changes) =
        bring(&state, &by, ChangeSet { file, expect: Some(Precondition::New), ..ChangeSet::default() }).await?;
    let made = changes.into_iter().find(|change| change.change == ChangeKind::Created).ok_or_else(no_such)?;
    let is_made = |one: &Map<String, Value>| {
        one.get("name").is_some_and(|name| *name == made.name) && owner(section, one) == made.user.as_deref()
    };
    let made = standing(&state, section).await?.into_iter().find(is_made).ok_or_else(no_such)?;
    Ok((StatusCode::CREATED, Json(made)).into_response())
}

pub(in super::super) async fn show(
    State(state): State<AppState>,
    PathOf((name, wanted)): PathOf<(String, String)>,
    _: Admin,
) -> Result<Response, Problem> {
    let section = section(&name)?;
    Ok(Json(find(&state, section, &wanted).await?).into_response())
}

pub(in super::super) async fn update(
    State(state): State<AppState>,
    PathOf((name, wanted)): PathOf<(String, String)>,
    Admin(by): Admin,
    mut body: JsonBody<Value>,
) -> Result<Response, Problem> {
    let section = section(&name)?;
    let former = find(&state, section, &wanted).await?;
    let object = body.value.as_object_mut().filter(|object| is_same(section, object, &former));
    let Some(object) = object else {
        let (field, stays) = match section {
            Section::TrustedPublishers => ("criteria", "gem, user, provider and criteria stay"),
            _ => ("name", "name and user stay"),
        };
        return Err(FieldError::new(field, format!("{stays}: what has others is another thing")).into());
    };
    leave_written(section, object, &former);
    let file = one_object(section, body.value)?;
    bring(&state, &by, ChangeSet { file, expect: Some(Precondition::Standing), ..ChangeSet::default() }).await?;
    Ok(Json(find(&state, section, &wanted).await?).into_response())
}

pub(in super::super) async fn delete(
    State(state): State<AppState>,
    PathOf((name, wanted)): PathOf<(String, String)>,
    Admin(by): Admin,
) -> Result<StatusCode, Problem> {
    let section = section(&name)?;
    let former = find(&state, section, &wanted).await?;
    let name = former.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let prune = Prune::One(section, owner(section, &former).map(str::to_owned), name);
    let Applied(changes) = bring(&state, &by, ChangeSet { prune, ..ChangeSet::default() }).await?;
    if changes.is_empty() { Err(no_such()) } else { Ok(StatusCode::NO_CONTENT) }
}

pub(in super::super) async fn list_keys(
    State(state): State<AppState>,
    _: Admin,
    mut query: QueryOf,
) -> Result<Response, Problem> {
    let all = query.one("all")?.is_some_and(|all| all != "0");
    let filter = CredentialFilter {
        user: query.one("user")?,
        active_at: (!all).then(|| state.app.clock().now()),
        after: query.parsed("after")?,
        limit: Some(limit(&mut query, MOST)?),
    };
    let found = state.app.store().list_credentials(state.app.issuer().id(), &filter).await;
    let found = found.map_err(|error| Problem::unavailable(error.to_string()))?;
    Ok(Json(json!({ "items": found.iter().map(shown_credential).collect::<Vec<_>>() })).into_response())
}

fn key_id(text: &str) -> Result<CredentialId, Problem> {
    text.parse().map_err(|_| no_such())
}

pub(in super::super) async fn show_key(
    State(state): State<AppState>,
    PathOf(wanted): PathOf<String>,
    _: Admin,
) -> Result<Response, Problem> {
    let found = state.app.store().show_credential(state.app.issuer().id(), key_id(&wanted)?).await;
    let found = found.map_err(|error| Problem::unavailable(error.to_string()))?.ok_or_else(no_such)?;
    Ok(Json(shown_credential(&found)).into_response())
}

pub(in super::super) async fn delete_key(
    State(state): State<AppState>,
    PathOf(wanted): PathOf<String>,
    Admin(by): Admin,
) -> Result<StatusCode, Problem> {
    let id = key_id(&wanted)?;
    let (issuer, now) = (state.app.issuer().id(), state.app.clock().now());
    let of = (&**state.app.store(), issuer);
    let done = revoke_credential(of, id, &format!("client {}", by.name), state.app.entropy(), now).await;
    if done? { Ok(StatusCode::NO_CONTENT) } else { Err(no_such()) }
}

pub(in super::super) async fn events(
    State(state): State<AppState>,
    _: Admin,
    mut query: QueryOf,
) -> Result<Response, Problem> {
    let since = query.parsed("since")?.unwrap_or(Moment::from_unix(0));
    let limit = limit(&mut query, 100)?;
    let after = query.parsed("after")?;
    let found = state.app.store().list_events(state.app.issuer().id(), since, after, limit).await;
    let found = found.map_err(|error| Problem::unavailable(error.to_string()))?;
    Ok(Json(json!({ "items": found })).into_response())
}
