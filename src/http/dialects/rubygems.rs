//! rubygems.org's doors: roles and trusted publishers, and what a key may read of its user's. Statuses and texts are
//! theirs; where we differ on purpose the manual says so.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::error::Problem;
use super::super::extract::{PathOf, QueryOf, RawBody};
use super::super::serve::Door;
use super::{exchange, fault, note_fault, note_refusal, object};
use crate::base::Secret;
use crate::exchange::{Ask, DashboardRefusal, Declined, Granted, RUBYGEMS_CLAIMS, Refusal, Refused};
use crate::verifier;

pub(in super::super) async fn assume_role(
    State(door): State<Door>,
    PathOf(role): PathOf<String>,
    headers: HeaderMap,
    body: RawBody,
) -> Result<Response, Problem> {
    trade(&door, Ask::Role { role }, &headers, &body).await
}

pub(in super::super) async fn exchange_token(
    State(door): State<Door>,
    headers: HeaderMap,
    body: RawBody,
) -> Result<Response, Problem> {
    trade(&door, Ask::Publisher, &headers, &body).await
}

async fn trade(door: &Door, ask: Ask, headers: &HeaderMap, body: &RawBody) -> Result<Response, Problem> {
    let exchange = exchange(door)?;
    let Some(token) = jwt(body) else {
        let body = json!({ "error": "Request is missing param 'jwt'" });
        return Ok((StatusCode::BAD_REQUEST, Json(body)).into_response());
    };
    Ok(match exchange.exchange(&ask, &token).await {
        Ok(granted) => (StatusCode::CREATED, Json(key_object(&granted))).into_response(),
        Err(Declined::Refused(refused)) => refused_answer(&refused, headers),
        Err(Declined::Failed(error)) => {
            let body = json!({ "error": "The identity provider can't be asked now" });
            let mut response = (fault(&error).0, Json(body)).into_response();
            note_fault(&mut response, &error);
            response
        }
    })
}

#[derive(Deserialize)]
struct Body {
    jwt: Option<String>,
}

/// `jwt` of a JSON object or of a form.
fn jwt(body: &RawBody) -> Option<Secret<String>> {
    let text = match body.essence.as_deref() {
        Some("application/x-www-form-urlencoded") => {
            let text = std::str::from_utf8(&body.bytes).ok()?;
            QueryOf::read(text).ok()?.one("jwt").ok().flatten()
        }
        _ => object::<Body>(&body.bytes).and_then(|body| body.jwt),
    };
    text.filter(|text| !text.is_empty()).map(Secret::new)
}

fn key_object(granted: &Granted) -> Value {
    let mut object = Map::new();
    object.insert("rubygems_api_key".to_owned(), json!(granted.secret.reveal()));
    object.insert("name".to_owned(), json!(granted.name));
    object.insert("scopes".to_owned(), json!(granted.scopes));
    if let Some(gem) = &granted.gem {
        object.insert("gem".to_owned(), json!({ "name": gem }));
    }
    object.insert("expires_at".to_owned(), json!(granted.expires_at));
    Value::Object(object)
}

/// Does RubyGems tell of this claim's absence and type? Any other is part of a policy.
fn is_told(claim: &str) -> bool {
    claim == "iss" || RUBYGEMS_CLAIMS.iter().any(|(name, _)| *name == claim)
}

/// Malformed: 400. Used: 422. Whatever else: 404, which tells a stranger nothing of what exists.
fn refused_answer(refused: &Refused, headers: &HeaderMap) -> Response {
    let mut response = match &refused.refusal {
        Refusal::Token(verifier::Refusal::Malformed(error)) => {
            (StatusCode::BAD_REQUEST, Json(json!({ "error": error.to_string() }))).into_response()
        }
        Refusal::Token(verifier::Refusal::ClaimMissing { claim } | verifier::Refusal::ClaimType { claim, .. })
            if is_told(claim) =>
        {
            let body = json!({ "error": format!("Missing/invalid {claim}") });
            (StatusCode::BAD_REQUEST, Json(body)).into_response()
        }
        Refusal::Spent => {
            let body = json!({ "errors": { "jwt.claims.jti": ["must be unique"] } });
            (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response()
        }
        Refusal::Token(_)
        | Refusal::NotRecorded
        | Refusal::Revoked
        | Refusal::BuildOver
        | Refusal::ClientDisabled
        | Refusal::KeyRevoked
        | Refusal::Untrusted
        | Refusal::Audience { .. }
        | Refusal::Target { .. }
        | Refusal::NoEntitlement { .. }
        | Refusal::Broken { .. }
        | Refusal::UserDisabled { .. }
        | Refusal::Statements(_)
        | Refusal::Criteria(_)
        | Refusal::Condition(_)
        | Refusal::Scope { .. }
        | Refusal::TokenType { .. }
        | Refusal::EndsTooSoon
        | Refusal::Credential => not_found(headers),
    };
    note_refusal(&mut response, refused);
    response
}

/// JSON, unless the client takes plain text alone.
fn not_found(headers: &HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let plain = accept.split(';').next().is_some_and(|first| first.trim() == "text/plain") && !accept.contains(',');
    if plain {
        (StatusCode::NOT_FOUND, "This page could not be found.").into_response()
    } else {
        (StatusCode::NOT_FOUND, Json(json!({ "error": "Not Found" }))).into_response()
    }
}

pub(in super::super) async fn providers(State(door): State<Door>, headers: HeaderMap) -> Result<Response, Problem> {
    dashboard(&door, &headers, "providers", None).await
}

pub(in super::super) async fn provider(
    State(door): State<Door>,
    PathOf(id): PathOf<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    dashboard(&door, &headers, "providers", Some(id)).await
}

pub(in super::super) async fn roles(State(door): State<Door>, headers: HeaderMap) -> Result<Response, Problem> {
    dashboard(&door, &headers, "roles", None).await
}

pub(in super::super) async fn role(
    State(door): State<Door>,
    PathOf(id): PathOf<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    dashboard(&door, &headers, "roles", Some(id)).await
}

pub(in super::super) async fn id_tokens(State(door): State<Door>, headers: HeaderMap) -> Result<Response, Problem> {
    dashboard(&door, &headers, "id_tokens", None).await
}

pub(in super::super) async fn id_token(
    State(door): State<Door>,
    PathOf(id): PathOf<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    dashboard(&door, &headers, "id_tokens", Some(id)).await
}

/// What a key with `show_dashboard` may read: the rows of its own user.
async fn dashboard(
    door: &Door,
    headers: &HeaderMap,
    what: &'static str,
    id: Option<String>,
) -> Result<Response, Problem> {
    let exchange = exchange(door)?;
    let key = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let key = Secret::new(key.to_owned());
    let found = exchange.dashboard(&key, what, id.as_deref()).await;
    let mut response = match found {
        Ok(document) => Json(document).into_response(),
        Err(DashboardRefusal::Key) => {
            let text = "Access Denied. Please sign up for an account at https://rubygems.org";
            (StatusCode::UNAUTHORIZED, text).into_response()
        }
        Err(DashboardRefusal::Scope) => (StatusCode::FORBIDDEN, "The API key doesn't have access").into_response(),
        Err(DashboardRefusal::NotFound) => not_found(headers),
        Err(DashboardRefusal::Failed(error)) => return Err(error.into()),
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    Ok(response)
}
