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
use super::super::state::AppState;
use super::{exchange, fault, note_fault, note_refusal, object};
use crate::base::Secret;
use crate::exchange::{
    Ask, DashboardRefusal, DisclosedRefusal, ExchangeRefusal, Granted, NotExchanged, RUBYGEMS_CLAIMS,
};
use crate::verifier;

pub(in super::super) async fn assume_role(
    State(state): State<AppState>,
    PathOf(role): PathOf<String>,
    headers: HeaderMap,
    body: RawBody,
) -> Result<Response, Problem> {
    trade(&state, Ask::Role { role }, &headers, &body).await
}

pub(in super::super) async fn exchange_token(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: RawBody,
) -> Result<Response, Problem> {
    trade(&state, Ask::Publisher, &headers, &body).await
}

async fn trade(state: &AppState, ask: Ask, headers: &HeaderMap, body: &RawBody) -> Result<Response, Problem> {
    let exchange = exchange(state)?;
    let Some(token) = jwt(body) else {
        let body = json!({ "error": "Request is missing param 'jwt'" });
        return Ok((StatusCode::BAD_REQUEST, Json(body)).into_response());
    };
    Ok(match exchange.exchange(&ask, &token).await {
        Ok(granted) => (StatusCode::CREATED, Json(key_object(&granted))).into_response(),
        Err(NotExchanged::Refused(refused)) => refused_answer(&refused, headers),
        Err(NotExchanged::Failed(error)) => {
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
    object.insert("rubygems_api_key".to_owned(), json!(granted.secret.expose_secret()));
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
fn refused_answer(refused: &DisclosedRefusal, headers: &HeaderMap) -> Response {
    let mut response = match &refused.refusal {
        ExchangeRefusal::Token(verifier::TokenRefusal::Malformed(error)) => {
            (StatusCode::BAD_REQUEST, Json(json!({ "error": error.to_string() }))).into_response()
        }
        ExchangeRefusal::Token(
            verifier::TokenRefusal::ClaimMissing { claim } | verifier::TokenRefusal::ClaimType { claim, .. },
        ) if is_told(claim) => {
            let body = json!({ "error": format!("Missing/invalid {claim}") });
            (StatusCode::BAD_REQUEST, Json(body)).into_response()
        }
        ExchangeRefusal::Spent => {
            let body = json!({ "errors": { "jwt.claims.jti": ["must be unique"] } });
            (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response()
        }
        ExchangeRefusal::Token(_)
        | ExchangeRefusal::NotRecorded
        | ExchangeRefusal::Revoked
        | ExchangeRefusal::BuildOver
        | ExchangeRefusal::ClientDisabled
        | ExchangeRefusal::KeyRevoked
        | ExchangeRefusal::Untrusted
        | ExchangeRefusal::Audience { .. }
        | ExchangeRefusal::Target { .. }
        | ExchangeRefusal::NoEntitlement { .. }
        | ExchangeRefusal::Broken { .. }
        | ExchangeRefusal::UserDisabled { .. }
        | ExchangeRefusal::Statements(_)
        | ExchangeRefusal::Criteria(_)
        | ExchangeRefusal::Condition(_)
        | ExchangeRefusal::Scope { .. }
        | ExchangeRefusal::TokenType { .. }
        | ExchangeRefusal::EndsTooSoon
        | ExchangeRefusal::Credential => not_found(headers),
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

pub(in super::super) async fn providers(
    State(state): State<AppState>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    dashboard(&state, &headers, "providers", None).await
}

pub(in super::super) async fn provider(
    State(state): State<AppState>,
    PathOf(id): PathOf<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    dashboard(&state, &headers, "providers", Some(id)).await
}

pub(in super::super) async fn roles(State(state): State<AppState>, headers: HeaderMap) -> Result<Response, Problem> {
    dashboard(&state, &headers, "roles", None).await
}

pub(in super::super) async fn role(
    State(state): State<AppState>,
    PathOf(id): PathOf<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    dashboard(&state, &headers, "roles", Some(id)).await
}

pub(in super::super) async fn id_tokens(
    State(state): State<AppState>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    dashboard(&state, &headers, "id_tokens", None).await
}

pub(in super::super) async fn id_token(
    State(state): State<AppState>,
    PathOf(id): PathOf<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    dashboard(&state, &headers, "id_tokens", Some(id)).await
}

/// What a key with `show_dashboard` may read: the rows of its own user.
async fn dashboard(
    state: &AppState,
    headers: &HeaderMap,
    what: &'static str,
    id: Option<String>,
) -> Result<Response, Problem> {
    let exchange = exchange(state)?;
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
