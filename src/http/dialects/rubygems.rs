//! Dialect of rubygems.org's API: roles, trusted publishers, and the dashboard of a key's user. Statuses and texts must
//! be those of rubygems.org; the manual lists the differences.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::error::Problem;
use super::super::extract::{PathParams, QueryParams, UnreadBody};
use super::super::state::AppState;
use super::answer::{Trouble, exchange, note_error, note_refusal, object, status_of};
use crate::base::Secret;
use crate::exchange::flows::rubygems::RUBYGEMS_CLAIMS;
use crate::exchange::flows::rubygems_publisher::RubygemsPublisher;
use crate::exchange::flows::rubygems_role::RubygemsRole;
use crate::exchange::{
    DashboardRefusal, DisclosedRefusal, ExchangeRefusal, IssuedCredential, IssuingFlow, NotExchanged,
};
use crate::verifier;

pub(in super::super) async fn assume_role(
    State(state): State<AppState>,
    PathParams(role): PathParams<String>,
    headers: HeaderMap,
    body: UnreadBody,
) -> Result<Response, Problem> {
    let flow = RubygemsRole { role };
    // An unknown role is refused before its body is read.
    if let Err(declined) = exchange(&state)?.check_role(&flow).await {
        return Ok(declined_answer(&declined, &headers));
    }
    issue(&state, &flow, &headers, body).await
}

pub(in super::super) async fn exchange_token(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: UnreadBody,
) -> Result<Response, Problem> {
    issue(&state, &RubygemsPublisher, &headers, body).await
}

async fn issue(
    state: &AppState,
    flow: &dyn IssuingFlow,
    headers: &HeaderMap,
    body: UnreadBody,
) -> Result<Response, Problem> {
    let exchange = exchange(state)?;
    let is_form = body.media_type() == Some("application/x-www-form-urlencoded");
    let body = body.read_from_stranger(state).await?;
    let Some(token) = jwt(is_form, body.bytes()) else {
        let body = json!({ "error": "Request is missing param 'jwt'" });
        return Ok((StatusCode::BAD_REQUEST, Json(body)).into_response());
    };
    Ok(match exchange.exchange(flow, &token).await {
        Ok(issued) => (StatusCode::CREATED, Json(key_object(&issued))).into_response(),
        Err(declined) => declined_answer(&declined, headers),
    })
}

fn declined_answer(declined: &NotExchanged, headers: &HeaderMap) -> Response {
    match declined {
        NotExchanged::Refused(refused) => refused_answer(refused, headers),
        NotExchanged::Failed(error) => {
            let body = json!({ "error": Trouble::of(error).text() });
            let mut response = (status_of(error).0, Json(body)).into_response();
            note_error(&mut response, error);
            response
        }
    }
}

#[derive(Deserialize)]
struct Body {
    jwt: Option<String>,
}

/// Reads the subject token from the member `jwt` of a JSON object, or from the form field `jwt`.
fn jwt(is_form: bool, body: &[u8]) -> Option<Secret<String>> {
    let text = if is_form {
        QueryParams::read(std::str::from_utf8(body).ok()?).ok()?.one("jwt").ok().flatten()
    } else {
        object::<Body>(body).and_then(|body| body.jwt)
    };
    text.filter(|text| !text.is_empty()).map(Secret::new)
}

fn key_object(issued: &IssuedCredential) -> Value {
    let mut object = Map::new();
    object.insert("rubygems_api_key".to_owned(), json!(issued.secret.expose_secret()));
    object.insert("name".to_owned(), json!(issued.name));
    object.insert("scopes".to_owned(), json!(issued.scopes));
    // The member `gem` is left out if the key covers all gems or several gems.
    if let [gem] = issued.packages.as_slice()
        && gem != "*"
    {
        object.insert("gem".to_owned(), json!({ "name": gem }));
    }
    object.insert("expires_at".to_owned(), json!(issued.expires_at));
    Value::Object(object)
}

/// Whether rubygems.org reports a missing or malformed claim of this name. Claims of all other names are part of a
/// policy, and must not be disclosed.
fn is_reported(claim: &str) -> bool {
    claim == "iss" || RUBYGEMS_CLAIMS.iter().any(|(name, _)| *name == claim)
}

/// Answers 400 to a malformed token, 422 to a used token, and 404 to all other refusals, so that a client does not
/// learn which roles and publishers exist.
fn refused_answer(refused: &DisclosedRefusal, headers: &HeaderMap) -> Response {
    let mut response = match &refused.refusal {
        ExchangeRefusal::Token(verifier::TokenRefusal::Malformed(error)) => {
            (StatusCode::BAD_REQUEST, Json(json!({ "error": error.to_string() }))).into_response()
        }
        ExchangeRefusal::Token(
            verifier::TokenRefusal::ClaimMissing { claim } | verifier::TokenRefusal::ClaimType { claim, .. },
        ) if is_reported(claim) => {
            let body = json!({ "error": format!("Missing/invalid {claim}") });
            (StatusCode::BAD_REQUEST, Json(body)).into_response()
        }
        ExchangeRefusal::Used => {
            let body = json!({ "errors": { "jwt.claims.jti": ["must be unique"] } });
            (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response()
        }
        ExchangeRefusal::Token(_)
        | ExchangeRefusal::NotRecorded
        | ExchangeRefusal::Revoked
        | ExchangeRefusal::BuildFinished
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
        | ExchangeRefusal::ExpiresTooSoon
        | ExchangeRefusal::Credential => not_found(headers),
    };
    note_refusal(&mut response, refused);
    response
}

/// Answers 404 in JSON, or in plain text if the client accepts only plain text.
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
    PathParams(id): PathParams<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    dashboard(&state, &headers, "providers", Some(id)).await
}

pub(in super::super) async fn roles(State(state): State<AppState>, headers: HeaderMap) -> Result<Response, Problem> {
    dashboard(&state, &headers, "roles", None).await
}

pub(in super::super) async fn role(
    State(state): State<AppState>,
    PathParams(id): PathParams<String>,
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
    PathParams(id): PathParams<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    dashboard(&state, &headers, "id_tokens", Some(id)).await
}

/// Answers with providers, roles or ID tokens of the user who owns the key. The key needs the scope `show_dashboard`.
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
