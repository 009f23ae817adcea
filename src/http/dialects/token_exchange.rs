//! Dialect of OAuth 2.0: `/oauth/token` (RFC 8693), `/oauth/introspect` (RFC 7662) and `/oauth/revoke` (RFC 7009).
//! Errors have the shape of RFC 6749 §5.2.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::json;

use super::super::error::{Code, Noted, Problem};
use super::super::extract::{ClientAuth, FormParams, QueryParams, UnreadForm};
use super::super::layers::CurrentRequest;
use super::super::state::AppState;
use super::answer::{Trouble, exchange, note_error, note_refusal, status_of};
use crate::base::Secret;
use crate::exchange::flows::token_exchange::{RequestedToken, TokenExchange};
use crate::exchange::{DisclosedRefusal, ExchangeRefusal, IssuedCredential, NotExchanged};
use crate::policy::Scope;

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";

pub(in super::super) async fn token(
    State(state): State<AppState>,
    Extension(request): Extension<CurrentRequest>,
    form: UnreadForm,
) -> Result<Response, Problem> {
    let exchange = exchange(&state)?;
    let form = match in_oauth_shape(form.read_from_stranger(&state).await)? {
        Ok(form) => form,
        Err(answer) => return Ok(answer),
    };
    let (asked, token) = match read(form.values) {
        Ok(read) => read,
        Err((error, description)) => return Ok(refuse(error, &description)),
    };
    Ok(match exchange.exchange(&asked, &token).await {
        Ok(issued) => answer(&issued),
        Err(NotExchanged::Refused(refused)) => refused_answer(&refused, &request),
        Err(NotExchanged::Failed(error)) => {
            let body = json!({
                "error": "temporarily_unavailable",
                "error_description": Trouble::of(&error).text(),
            });
            let mut response = (status_of(&error).0, Json(body)).into_response();
            note_error(&mut response, &error);
            response
        }
    })
}

/// Turns the problem of a malformed form into an OAuth error response (RFC 6749 §5.2). A form that was read and all
/// other problems stay unchanged.
fn in_oauth_shape(read: Result<FormParams, Problem>) -> Result<Result<FormParams, Response>, Problem> {
    match read {
        Ok(form) => Ok(Ok(form)),
        Err(problem) if problem.code == Code::InvalidRequest => Ok(Err(refuse("invalid_request", problem.detail()))),
        Err(problem) => Err(problem),
    }
}

type Fault = (&'static str, String);

/// Reads the parameters of a token request; unknown parameters are ignored (RFC 6749 §3.2).
fn read(mut form: QueryParams) -> Result<(TokenExchange, Secret<String>), Fault> {
    let invalid = |description: String| ("invalid_request", description);
    // A parameter without a value counts as absent (RFC 6749 §3.2).
    let filled = |text: &String| !text.is_empty();
    let mut one = |name: &str| match form.one(name) {
        Ok(value) => Ok(value.filter(filled)),
        Err(error) => Err(invalid(error.to_string())),
    };
    match one("grant_type")?.as_deref() {
        Some(GRANT_TYPE) => {}
        None => return Err(invalid("grant_type: is missing; send the parameters as a form".to_owned())),
        Some(_) => return Err(("unsupported_grant_type", format!("grant_type: must be {GRANT_TYPE}"))),
    }
    if one("actor_token")?.is_some() || one("actor_token_type")?.is_some() {
        return Err(invalid("actor_token: delegation is not supported; leave the parameter out".to_owned()));
    }
    let token = one("subject_token")?.ok_or_else(|| invalid("subject_token: is missing".to_owned()))?;
    match one("subject_token_type")?.as_deref() {
        Some(JWT | ID_TOKEN) => {}
        _ => return Err(invalid(format!("subject_token_type: must be {JWT} or {ID_TOKEN}"))),
    }
    let scope = one("scope")?;
    let requested = match one("requested_token_type")?.as_deref() {
        None | Some(ACCESS_TOKEN) => RequestedToken::Any,
        Some(JWT) => RequestedToken::Jwt,
        Some(other) => RequestedToken::Other(other.to_owned()),
    };
    let mut audiences = form.all("audience");
    audiences.extend(form.all("resource"));
    audiences.retain(filled);
    let scopes = scope.map(|scope| scope.split(' ').filter(|one| !one.is_empty()).map(str::to_owned).collect());
    Ok((TokenExchange { audiences, scopes, requested }, Secret::new(token)))
}

fn answer(issued: &IssuedCredential) -> Response {
    let expires_in = issued.expires_at.since(issued.created_at).get();
    let body = json!({
        "access_token": issued.secret.expose_secret(), "issued_token_type": ACCESS_TOKEN, "token_type": "Bearer",
        "expires_in": expires_in, "scope": issued.scopes.join(" "),
    });
    Json(body).into_response()
}

fn refused_answer(refused: &DisclosedRefusal, request: &CurrentRequest) -> Response {
    let why = match &refused.disclosed {
        Some((claim, value)) => format!("the subject token's {claim} is {value}"),
        None => "the subject token was refused".to_owned(),
    };
    let (error, description) = match &refused.refusal {
        ExchangeRefusal::Target { .. } => ("invalid_target", "no grant for this audience".to_owned()),
        ExchangeRefusal::Scope { asked, .. } => ("invalid_scope", format!("scope: {asked} is not allowed")),
        ExchangeRefusal::TokenType { .. } => {
            ("invalid_request", "requested_token_type: this type of token is not issued".to_owned())
        }
        ExchangeRefusal::Used => ("invalid_request", "the subject token has been used".to_owned()),
        ExchangeRefusal::Token(_)
        | ExchangeRefusal::NotRecorded
        | ExchangeRefusal::Revoked
        | ExchangeRefusal::BuildFinished
        | ExchangeRefusal::ClientDisabled
        | ExchangeRefusal::KeyRevoked
        | ExchangeRefusal::Untrusted
        | ExchangeRefusal::Audience { .. }
        | ExchangeRefusal::NoEntitlement { .. }
        | ExchangeRefusal::Broken { .. }
        | ExchangeRefusal::UserDisabled { .. }
        | ExchangeRefusal::Statements(_)
        | ExchangeRefusal::Criteria(_)
        | ExchangeRefusal::Condition(_)
        | ExchangeRefusal::ExpiresTooSoon
        | ExchangeRefusal::Credential => ("invalid_request", why),
    };
    let mut response = refuse(error, &format!("{description}; request {}", request.0));
    note_refusal(&mut response, refused);
    response
}

/// Answers with an error (RFC 6749 §5.2). Characters of the description that are not printable ASCII, and quotes,
/// become `?`; the description is cut after 500 characters.
fn refuse(error: &'static str, description: &str) -> Response {
    let plain = |c: char| if (c.is_ascii_graphic() || c == ' ') && c != '"' && c != '\\' { c } else { '?' };
    let description: String = description.chars().map(plain).take(500).collect();
    let body = json!({ "error": error, "error_description": description });
    let mut response = (StatusCode::BAD_REQUEST, Json(body)).into_response();
    response.extensions_mut().insert(Noted { code: error, cause: None });
    response
}

pub(in super::super) async fn introspect(
    State(state): State<AppState>,
    ClientAuth(credential): ClientAuth,
    form: UnreadForm,
) -> Result<Response, Problem> {
    let exchange = exchange(&state)?;
    let client = state.app.issuer().client(&credential, Scope::TokensIntrospect).await?;
    let mut form = match in_oauth_shape(form.read_from_known(&state).await)? {
        Ok(form) => form,
        Err(answer) => return Ok(answer),
    };
    let token = match form.values.one("token") {
        Ok(Some(token)) if !token.is_empty() => Secret::new(token),
        _ => return Ok(refuse("invalid_request", "token: is missing or repeated; send it once, as a form")),
    };
    Ok(Json(exchange.introspect(&client, &token).await?).into_response())
}

pub(in super::super) async fn revoke(State(state): State<AppState>, form: UnreadForm) -> Result<Response, Problem> {
    let exchange = exchange(&state)?;
    let mut form = match in_oauth_shape(form.read_from_stranger(&state).await)? {
        Ok(form) => form,
        Err(answer) => return Ok(answer),
    };
    let token = match form.values.one("token") {
        Ok(Some(token)) if !token.is_empty() => Secret::new(token),
        _ => return Ok(refuse("invalid_request", "token: is missing or repeated; send it once, as a form")),
    };
    exchange.revoke(&token).await?;
    Ok(StatusCode::OK.into_response())
}
