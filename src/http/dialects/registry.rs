//! Dialect of the token endpoint of container registries (Docker's token specification, as angos implements it). The
//! client sends the token as Basic, with the provider's name as the user, or as Bearer. Errors have the shape of the
//! OCI distribution specification.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::super::error::{Noted, Problem};
use super::super::extract::QueryParams;
use super::super::state::AppState;
use super::answer::{Trouble, exchange, note_error, note_refusal, status_of};
use crate::base::Secret;
use crate::exchange::flows::registry::{Registry, RegistryScope};
use crate::exchange::{IssuedCredential, NotExchanged};

pub(in super::super) async fn token(
    State(state): State<AppState>,
    headers: HeaderMap,
    mut query: QueryParams,
) -> Result<Response, Problem> {
    let exchange = exchange(&state)?;
    let Some((provider, token)) = credential(&headers) else {
        return Ok(unauthorized(&state, "send the provider's name and the token as Basic, or the token as Bearer"));
    };
    let texts: Vec<String> = query.all("scope");
    let scopes = match RegistryScope::read_all(texts.iter().flat_map(|text| text.split(' '))) {
        Ok(scopes) => scopes,
        Err(error) => {
            let body = json!({ "errors": [{ "code": "UNSUPPORTED", "message": error.to_string() }] });
            return Ok((StatusCode::BAD_REQUEST, Json(body)).into_response());
        }
    };
    Ok(match exchange.exchange(&Registry { provider, scopes }, &token).await {
        Ok(issued) => answer(&issued),
        Err(NotExchanged::Refused(refused)) => {
            let mut response = unauthorized(&state, "the token was refused");
            note_refusal(&mut response, &refused);
            response
        }
        Err(NotExchanged::Failed(error)) => {
            let trouble = Trouble::of(&error);
            let code = match trouble {
                Trouble::Caller => "TOOMANYREQUESTS",
                Trouble::IdentityProvider => "PROVIDER_UNAVAILABLE",
                Trouble::Server => "UNAVAILABLE",
            };
            let body = json!({ "errors": [{ "code": code, "message": trouble.text() }] });
            let mut response = (status_of(&error).0, Json(body)).into_response();
            note_error(&mut response, &error);
            response
        }
    })
}

/// Reads the token and, if sent, the provider's name from the header `Authorization`. `None` if the header is missing,
/// repeated or malformed.
fn credential(headers: &HeaderMap) -> Option<(Option<String>, Secret<String>)> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let value = sent.next()?.to_str().ok()?;
    if sent.next().is_some() {
        return None;
    }
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some((None, Secret::new(rest.trim().to_owned())));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    let (user, password) = pair.split_once(':')?;
    Some((Some(user.to_owned()), Secret::new(password.to_owned())))
}

fn answer(issued: &IssuedCredential) -> Response {
    let token = issued.secret.expose_secret();
    Json(json!({
        "token": token, "access_token": token,
        "expires_in": issued.expires_at.since(issued.created_at).get(), "issued_at": issued.created_at,
    }))
    .into_response()
}

fn unauthorized(state: &AppState, message: &str) -> Response {
    let body = json!({ "errors": [{ "code": "UNAUTHORIZED", "message": message }] });
    let mut response = (StatusCode::UNAUTHORIZED, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"buildpass\""));
    let realm = state.app.issuer().paths().api("/token");
    if let Ok(bearer) = HeaderValue::from_str(&format!("Bearer realm=\"{realm}\"")) {
        headers.append(header::WWW_AUTHENTICATE, bearer);
    }
    response.extensions_mut().insert(Noted { code: "registry_refused", cause: None });
    response
}
