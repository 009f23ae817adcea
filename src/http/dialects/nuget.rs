//! Dialect of NuGet's token API, with the service index that lists the API. Statuses and texts must be NuGet's, and
//! each text is the reason phrase as well; the manual lists the differences.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::ext::ReasonPhrase;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::super::error::{Noted, Problem};
use super::super::extract::UnreadBody;
use super::super::state::AppState;
use super::answer::{Trouble, exchange, note_error, note_refusal, object, status_of};
use crate::base::{Moment, Secret};
use crate::exchange::flows::nuget::Nuget;
use crate::exchange::{DisclosedRefusal, ExchangeRefusal, NotExchanged};
use crate::verifier;

pub(in super::super) async fn service_index(State(state): State<AppState>) -> Result<Response, Problem> {
    exchange(&state)?;
    let token_service = state.app.issuer().paths().api("/api/v2/token");
    let resource = json!({
        "@id": token_service, "@type": "TokenService/1.0.0", "comment": "Exchanges an OIDC token for an API key.",
    });
    Ok(Json(json!({ "version": "3.0.0", "resources": [resource] })).into_response())
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Body {
    username: Option<String>,
    #[serde(rename = "tokenType")]
    token_type: Option<String>,
}

pub(in super::super) async fn token(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: UnreadBody,
) -> Result<Response, Problem> {
    let exchange = exchange(&state)?;
    let token = match read_head(&headers, &body) {
        Ok(token) => token,
        Err((status, text)) => return Ok(refuse(status, text)),
    };
    let body = body.read_from_stranger(&state).await?;
    let username = match read_body(body.bytes()) {
        Ok(username) => username,
        Err((status, text)) => return Ok(refuse(status, text)),
    };
    let flow = Nuget { username: username.clone() };
    Ok(match exchange.exchange(&flow, &token).await {
        Ok(issued) => Json(json!({
            "tokenType": "ApiKey", "expires": round_trip(issued.expires_at), "apiKey": issued.secret.expose_secret(),
        }))
        .into_response(),
        Err(NotExchanged::Refused(refused)) => {
            let (status, text) = words(&refused, &username);
            let mut response = refuse(status, &text);
            note_refusal(&mut response, &refused);
            response
        }
        Err(NotExchanged::Failed(error)) => {
            let mut response = refuse(status_of(&error).0, Trouble::of(&error).text());
            note_error(&mut response, &error);
            response
        }
    })
}

/// Formats a time in .NET's round-trip format, such as `2026-01-31T12:00:00.0000000+00:00`.
fn round_trip(moment: Moment) -> String {
    format!("{}.0000000+00:00", moment.to_string().trim_end_matches('Z'))
}

type Refuse = (StatusCode, &'static str);

/// Reads the token from the request's head, with NuGet's checks in NuGet's order. A bad head is refused before the body
/// is read.
fn read_head(headers: &HeaderMap, body: &UnreadBody) -> Result<Secret<String>, Refuse> {
    const START: Refuse = (StatusCode::UNAUTHORIZED, "The Authorization header value must start with 'Bearer '.");
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let value = sent.next().ok_or((StatusCode::UNAUTHORIZED, "The Authorization header is missing."))?;
    if sent.next().is_some() {
        return Err((StatusCode::UNAUTHORIZED, "Only one Authorization header is allowed."));
    }
    let (scheme, token) = value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or(START)?;
    if !scheme.eq_ignore_ascii_case("bearer") || token.trim().is_empty() {
        return Err(START);
    }
    if headers.contains_key("x-nuget-apikey") || headers.contains_key(header::COOKIE) {
        return Err((StatusCode::UNAUTHORIZED, "Only Bearer token authentication is accepted."));
    }
    const CONTENT_TYPE: Refuse =
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, "The request must have a Content-Type of 'application/json'.");
    if body.media_type() != Some("application/json") {
        return Err(CONTENT_TYPE);
    }
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if agent.trim().is_empty() {
        return Err((StatusCode::BAD_REQUEST, "A User-Agent header is required."));
    }
    Ok(Secret::new(token.trim().to_owned()))
}

/// Reads the username from the body, with NuGet's checks in NuGet's order.
fn read_body(body: &[u8]) -> Result<String, Refuse> {
    // A body that is not a JSON object has no username.
    let asked: Body = object(body).unwrap_or_default();
    let username = asked.username.filter(|name| !name.trim().is_empty());
    let username =
        username.ok_or((StatusCode::BAD_REQUEST, "The username property in the request body is required."))?;
    if asked.token_type.as_deref() != Some("ApiKey") {
        let text = "The tokenType property in the request body is required and must set to 'ApiKey'.";
        return Err((StatusCode::BAD_REQUEST, text));
    }
    Ok(username)
}

/// Returns NuGet's status and text for a refusal. The answers must not disclose to a caller without a valid token which
/// users and policies exist.
fn words(refused: &DisclosedRefusal, username: &str) -> (StatusCode, String) {
    let unauthorized = |text: &str| (StatusCode::UNAUTHORIZED, text.to_owned());
    let no_policy =
        || (StatusCode::UNAUTHORIZED, format!("No matching trust policy owned by user '{username}' was found."));
    match &refused.refusal {
        ExchangeRefusal::Token(refusal) => token_words(refusal).map_or_else(no_policy, |text| unauthorized(&text)),
        ExchangeRefusal::NotRecorded | ExchangeRefusal::KeyRevoked => {
            unauthorized("The JSON web token has an invalid signature.")
        }
        ExchangeRefusal::Revoked | ExchangeRefusal::BuildFinished | ExchangeRefusal::ClientDisabled => {
            unauthorized("The JSON web token could not be validated.")
        }
        ExchangeRefusal::Used => {
            unauthorized("This bearer token has already been used. A new bearer token must be used for each request.")
        }
        ExchangeRefusal::UserDisabled { user } => (StatusCode::BAD_REQUEST, format!("The user '{user}' is locked.")),
        ExchangeRefusal::Criteria(unmatched) => {
            let disclosed: Vec<&str> = unmatched.iter().filter_map(|(_, found)| found.disclosed.as_deref()).collect();
            if disclosed.is_empty() { no_policy() } else { unauthorized(&disclosed.join(". ")) }
        }
        ExchangeRefusal::Untrusted
        | ExchangeRefusal::Audience { .. }
        | ExchangeRefusal::Target { .. }
        | ExchangeRefusal::NoEntitlement { .. }
        | ExchangeRefusal::Broken { .. }
        | ExchangeRefusal::Statements(_)
        | ExchangeRefusal::Condition(_)
        | ExchangeRefusal::Scope { .. }
        | ExchangeRefusal::TokenType { .. }
        | ExchangeRefusal::ExpiresTooSoon
        | ExchangeRefusal::Credential => no_policy(),
    }
}

/// Claims that nuget.org's policies require. An answer may name these claims, but no other required claim of a
/// provider.
const REQUIRED_BY_NUGET: [&str; 9] = [
    "event_name",
    "namespace_id",
    "namespace_path",
    "project_id",
    "project_path",
    "repository",
    "repository_id",
    "repository_owner",
    "repository_owner_id",
];

/// Returns NuGet's text for a refused token, or `None` if the failed check is part of a policy at NuGet.
fn token_words(refusal: &verifier::TokenRefusal) -> Option<String> {
    use verifier::TokenRefusal as Why;
    let fixed = match refusal {
        Why::Malformed(_) | Why::Extension | Why::Type { .. } => {
            "The bearer token could not be parsed as a JSON web token."
        }
        Why::AudienceCount { .. } => "The JSON web token must have exactly one aud claim value.",
        Why::ClaimMissing { claim } if claim == "aud" => "The JSON web token must have exactly one aud claim value.",
        Why::Audience { actual, .. } if actual.iter().all(|audience| audience.trim().is_empty()) => {
            "The JSON web token must have an aud claim."
        }
        Why::UnknownIssuer { issuer } if issuer.trim().is_empty() => "The JSON web token must have an iss claim.",
        Why::ClaimMissing { claim } | Why::ClaimType { claim, .. } => {
            return Some(match claim.as_str() {
                "aud" | "iss" => format!("The JSON web token must have an {claim} claim."),
                "jti" | "uti" => format!("The JSON web token must have a {claim} claim."),
                _ => "The JSON web token could not be validated.".to_owned(),
            });
        }
        Why::RequiredClaim { claim } if REQUIRED_BY_NUGET.contains(&claim.as_str()) => {
            return Some(format!("The JSON Web Token is missing the required claim '{claim}'."));
        }
        Why::ProviderRule { .. } => return None,
        Why::UnknownIssuer { issuer } if !Url::parse(issuer).is_ok_and(|url| url.scheme() == "https") => {
            "The JSON web token iss claim must be a valid HTTPS URL."
        }
        Why::UnknownIssuer { .. } | Why::Issuer { .. } => "The JSON web token iss claim is not supported.",
        Why::Expired { .. } => "The JSON web token has expired.",
        Why::NotYetValid { .. } => "The JSON web token is not yet valid.",
        Why::Audience { .. } => "The JSON web token has an incorrect audience.",
        Why::Signature | Why::KeyIdMissing | Why::UnknownKey { .. } => "The JSON web token has an invalid signature.",
        Why::KeysUnavailable { .. }
        | Why::AlgorithmNotAllowed { .. }
        | Why::AlgorithmNotOfKey { .. }
        | Why::IssuedAhead { .. }
        | Why::Lifetime { .. }
        | Why::RequiredClaim { .. } => "The JSON web token could not be validated.",
    };
    Some(fixed.to_owned())
}

/// Maximum length of a reason phrase, in bytes. Proxies may reject longer phrases.
const LONGEST_PHRASE: usize = 512;

/// Answers with an error, whose text is both in the body and in the reason phrase.
fn refuse(status: StatusCode, text: &str) -> Response {
    let mut response = (status, Json(json!({ "error": text }))).into_response();
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    let plain = text.bytes().filter(|byte| byte.is_ascii_graphic() || *byte == b' ');
    let phrase: Vec<u8> = plain.take(LONGEST_PHRASE).collect();
    if let Ok(phrase) = ReasonPhrase::try_from(phrase) {
        response.extensions_mut().insert(phrase);
    }
    response.extensions_mut().insert(Noted { code: "nuget_refused", cause: None });
    response
}
