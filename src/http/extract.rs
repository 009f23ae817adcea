//! Extractors for credentials, bodies, paths and queries. Every rejection is a [`Problem`].

use std::collections::BTreeMap;
use std::str::FromStr;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, RawQuery, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use super::error::{Code, NOT_FOUND, Problem};
use super::state::AppState;
use crate::base::{ClientId, FieldError, Secret, Sha256};
use crate::issuer::{ClientCredential, TokenCaller};
use crate::jose::{JsonProblem, require_unique_members};

/// Maximum size of a body, in bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// Credential of a client: `Authorization: Basic` (RFC 7617), or a provider's token as `Bearer`.
pub(super) struct OfClient(pub(super) ClientCredential);

/// Request token or worker token of a build, as `Authorization: Bearer` (RFC 6750) with the scheme in any case.
pub(super) struct Bearer(pub(super) Secret<String>);

/// Credential of a client, or worker token of a build.
pub(super) struct EitherCaller(pub(super) TokenCaller);

impl FromRequestParts<AppState> for OfClient {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Problem> {
        match credential(&parts.headers)? {
            TokenCaller::Client(client) => Ok(Self(client)),
            TokenCaller::Worker(_) => Err(Problem::unauthenticated()),
        }
    }
}

impl FromRequestParts<AppState> for Bearer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Problem> {
        match credential(&parts.headers)? {
            TokenCaller::Client(_) => Err(Problem::unauthenticated()),
            TokenCaller::Worker(token) => Ok(Self(token)),
        }
    }
}

impl FromRequestParts<AppState> for EitherCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Problem> {
        credential(&parts.headers).map(Self)
    }
}

fn credential(headers: &HeaderMap) -> Result<TokenCaller, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Err(Problem::unauthenticated()) };
    if values.next().is_some() {
        return Err(FieldError::new("Authorization", "must not be repeated; send one credential").into());
    }
    let value = value.to_str().map_err(|_| Problem::unauthenticated())?;
    let (scheme, rest) = value.split_once(' ').ok_or_else(Problem::unauthenticated)?;
    let rest = rest.trim_matches(' ');
    if scheme.eq_ignore_ascii_case("bearer") {
        let token = Secret::new(rest.to_owned());
        // A dot tells a JWT, which is the token of a provider, from our own random tokens.
        let is_jwt = rest.contains('.');
        return Ok(if is_jwt {
            TokenCaller::Client(ClientCredential::Token(token))
        } else {
            TokenCaller::Worker(token)
        });
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(Problem::unauthenticated());
    }
    let pair = STANDARD.decode(rest).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let pair = Secret::new(pair.ok_or_else(Problem::unauthenticated)?);
    let (id, secret) = pair.expose_secret().split_once(':').ok_or_else(Problem::unauthenticated)?;
    let (id, secret) = (ClientId::from_text(id), Secret::new(secret.to_owned()));
    Ok(TokenCaller::Client(ClientCredential::Secret { id, secret }))
}

/// JSON body with the digest of its bytes. Refuses unknown fields and wrong types by name.
pub(super) struct JsonBody<T> {
    pub(super) value: T,
    pub(super) digest: Sha256,
}

impl<T: DeserializeOwned> FromRequest<AppState> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(Code::UnsupportedMediaType, "Content-Type: must be application/json"));
        }
        let bytes = read_body(request, state).await?;
        let value = parse(&bytes)?;
        Ok(Self { value, digest: Sha256::of(&bytes) })
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    essence(headers).is_some_and(|essence| essence == "application/json")
}

/// Returns the media type of a body in lower case, without parameters.
fn essence(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next()?.trim().to_ascii_lowercase())
}

async fn read_body(request: Request, state: &AppState) -> Result<Bytes, Problem> {
    let too_large = || Problem::new(Code::PayloadTooLarge, "the body is over 65536 bytes");
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: u64| length > MAX_BODY_BYTES as u64) {
        return Err(too_large());
    }
    let body = Limited::new(request.into_body(), MAX_BODY_BYTES).collect();
    match tokio::time::timeout(state.limits.body_within, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(FieldError::new("body", "ended before its Content-Length").into()),
        Err(_) => Err(Problem::new(Code::RequestTimeout, "the body did not arrive within the time limit")),
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|_| FieldError::new("body", "must be UTF-8"))?;
    // serde would read an array as the fields in their order.
    if text.trim_start().starts_with('[') {
        return Err(FieldError::new("body", "must be a JSON object").into());
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| field_error(&error.path().to_string(), error.inner()))?;
    json.end().map_err(|_| FieldError::new("body", "has text after its JSON object"))?;
    match require_unique_members(bytes) {
        Err(JsonProblem::Duplicate) => Err(FieldError::new("body", "has a duplicate member").into()),
        _ => Ok(value),
    }
}

/// Turns serde's error into a field and what it must be. Leaves out the value that serde quotes: it may be a secret that
/// was pasted by mistake.
fn field_error(path: &str, error: &serde_json::Error) -> FieldError {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    let field = if path == "." || path == "?" { "body" } else { path };
    let name = text.split('`').nth(1).unwrap_or_default();
    if text.starts_with("missing field") {
        let field = if path == "." { name.to_owned() } else { format!("{path}.{name}") };
        return FieldError::new(field, "is missing");
    }
    if text.starts_with("unknown field") {
        let known = text.split_once("expected ").map_or("none", |(_, known)| known).trim_start_matches("one of ");
        return FieldError::new(field, format!("is an unknown field; known fields: {}", known.replace('`', "")));
    }
    if text.starts_with("unknown variant") {
        let known = text.split_once("expected ").map_or("another", |(_, known)| known);
        return FieldError::new(field, format!("must be {}", known.replace('`', "")));
    }
    if let Some((_, expected)) = text.split_once(", expected ")
        && text.starts_with("invalid ")
    {
        let expected = match expected {
            "u64" => "a whole number from 0",
            expected => expected.trim_start_matches("must be "),
        };
        return FieldError::new(field, format!("must be {expected}"));
    }
    // serde has the same text for a value of another type than an enum's name.
    if error.is_syntax() && text == "expected value" && path != "." {
        return FieldError::new(field, "is not valid JSON, or has a value of the wrong type");
    }
    if error.is_syntax() || error.is_eof() {
        return FieldError::new(
            field,
            format!("is not valid JSON at line {}, column {}: {text}", error.line(), error.column()),
        );
    }
    FieldError::new(field, text)
}

/// Path parameters. Answers 404 if one is malformed.
pub(super) struct PathOf<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<AppState> for PathOf<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let not_found = |_| Problem::new(Code::NotFound, NOT_FOUND);
        let Path(read) = Path::<T>::from_request_parts(parts, state).await.map_err(not_found)?;
        Ok(Self(read))
    }
}

/// Query parameters, decoded like a form. Keeps the order of repeated values.
pub(super) struct QueryOf(BTreeMap<String, Vec<String>>);

impl FromRequestParts<AppState> for QueryOf {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let RawQuery(query) = RawQuery::from_request_parts(parts, state).await.unwrap_or(RawQuery(None));
        Ok(Self::read(query.as_deref().unwrap_or_default())?)
    }
}

/// Form in the body (`application/x-www-form-urlencoded`). Empty if the body has another media type.
pub(super) struct FormOf(pub(super) QueryOf);

impl FromRequest<AppState> for FormOf {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let is_form = essence(request.headers()).is_some_and(|essence| essence == "application/x-www-form-urlencoded");
        let bytes = read_body(request, state).await?;
        let text = std::str::from_utf8(&bytes).map_err(|_| FieldError::new("body", "must be UTF-8"))?;
        Ok(Self(QueryOf::read(if is_form { text } else { "" })?))
    }
}

/// Body as it was sent, with its media type, for dialects that refuse a wrong one in their own words.
pub(super) struct RawBody {
    /// Media type in lower case, without parameters.
    pub(super) essence: Option<String>,
    pub(super) bytes: Bytes,
}

impl FromRequest<AppState> for RawBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        Ok(Self { essence: essence(request.headers()), bytes: read_body(request, state).await? })
    }
}

fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

impl QueryOf {
    /// Parses `application/x-www-form-urlencoded` text.
    pub(super) fn read(text: &str) -> Result<Self, FieldError> {
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            // A key that is not UTF-8 is unknown, and unknown keys are ignored.
            let Some(key) = decode(key) else { continue };
            let value =
                decode(value).ok_or_else(|| FieldError::new(key.clone(), "must be UTF-8 after percent-decoding"))?;
            values.entry(key).or_default().push(value);
        }
        Ok(Self(values))
    }

    /// Removes and returns all values of a key that may be repeated.
    pub(super) fn all(&mut self, key: &str) -> Vec<String> {
        self.0.remove(key).unwrap_or_default()
    }

    /// Removes and returns the value of a key that must not be repeated.
    pub(super) fn one(&mut self, key: &str) -> Result<Option<String>, FieldError> {
        let mut values = self.all(key);
        if values.len() > 1 {
            return Err(FieldError::new(key, "must not be repeated"));
        }
        Ok(values.pop())
    }

    /// Removes and parses the value of a key that must not be repeated.
    pub(super) fn parsed<T>(&mut self, key: &str) -> Result<Option<T>, FieldError>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        let Some(text) = self.one(key)? else { return Ok(None) };
        text.parse().map(Some).map_err(|error: T::Err| FieldError::new(key, error.to_string()))
    }
}
