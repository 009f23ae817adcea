//! What a request carries: credentials, a JSON body, query parameters. Every rejection is a problem of ours.

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

use super::error::{Code, Problem};
use super::state::AppState;
use crate::base::{ClientId, FieldError, Secret, Sha256};
use crate::issuer::{ClientCredential, TokenCaller};
use crate::jose::{JsonProblem, require_unique_members};

/// The most bytes that a body may have.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// A client: `Authorization: Basic` (RFC 7617), or a provider's token as `Bearer`.
pub(super) struct OfClient(pub(super) ClientCredential);

/// `Authorization: Bearer` (RFC 6750), scheme in any case: a token of a build.
pub(super) struct Bearer(pub(super) Secret<String>);

/// Either of the two.
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
        return Err(FieldError::new("Authorization", "came twice; send one credential").into());
    }
    let value = value.to_str().map_err(|_| Problem::unauthenticated())?;
    let (scheme, rest) = value.split_once(' ').ok_or_else(Problem::unauthenticated)?;
    let rest = rest.trim_matches(' ');
    if scheme.eq_ignore_ascii_case("bearer") {
        let token = Secret::new(rest.to_owned());
        // Three parts with dots: somebody's signed token. None of ours that are drawn holds one.
        let signed = rest.contains('.');
        return Ok(if signed {
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

/// A JSON body, and the digest of its bytes. Unknown fields and wrong types are refused by name.
pub(super) struct JsonBody<T> {
    pub(super) value: T,
    pub(super) digest: Sha256,
}

impl<T: DeserializeOwned> FromRequest<AppState> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(Code::UnsupportedMediaType, "send the body as Content-Type: application/json"));
        }
        let bytes = read_body(request, state).await?;
        let value = parse(&bytes)?;
        Ok(Self { value, digest: Sha256::of(&bytes) })
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    essence(headers).is_some_and(|essence| essence == "application/json")
}

/// The media type of a body in lower case, without parameters.
fn essence(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next()?.trim().to_ascii_lowercase())
}

async fn read_body(request: Request, state: &AppState) -> Result<Bytes, Problem> {
    let too_large = || Problem::new(Code::PayloadTooLarge, "a body may have 65536 bytes");
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: u64| length > MAX_BODY_BYTES as u64) {
        return Err(too_large());
    }
    let body = Limited::new(request.into_body(), MAX_BODY_BYTES).collect();
    match tokio::time::timeout(state.limits.body_within, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(FieldError::new("body", "ended before it was whole").into()),
        Err(_) => Err(Problem::new(Code::RequestTimeout, "the body did not arrive in time")),
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|_| FieldError::new("body", "is not UTF-8"))?;
    // An array would be taken for the fields in their order.
    if text.trim_start().starts_with('[') {
        return Err(FieldError::new("body", "must be a JSON object").into());
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| describe(&error.path().to_string(), error.inner()))?;
    json.end().map_err(|_| FieldError::new("body", "goes on after its JSON value"))?;
    match require_unique_members(bytes) {
        Err(JsonProblem::Duplicate) => Err(FieldError::new("body", "names a member twice").into()),
        _ => Ok(value),
    }
}

/// serde's own words name what was expected, and quote wrong values, which may be secrets pasted by mistake: types are
/// told without the value.
fn describe(path: &str, error: &serde_json::Error) -> FieldError {
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
        return FieldError::new(field, format!("is not a field of this request; there are {}", known.replace('`', "")));
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
    // serde says so also of a value that is no variant of a name.
    if error.is_syntax() && text == "expected value" && path != "." {
        return FieldError::new(field, "is not JSON there, or has a value of another type than is due");
    }
    if error.is_syntax() || error.is_eof() {
        return FieldError::new(
            field,
            format!("is not JSON at line {}, column {}: {text}", error.line(), error.column()),
        );
    }
    FieldError::new(field, text)
}

/// Path parameters that must have a form; where they have not, nothing is here.
pub(super) struct PathOf<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<AppState> for PathOf<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let not_found = |_| Problem::new(Code::NotFound, "there is no such thing here");
        let Path(read) = Path::<T>::from_request_parts(parts, state).await.map_err(not_found)?;
        Ok(Self(read))
    }
}

/// Query parameters, decoded as forms are; each key with its values in order.
pub(super) struct QueryOf(BTreeMap<String, Vec<String>>);

impl FromRequestParts<AppState> for QueryOf {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let RawQuery(query) = RawQuery::from_request_parts(parts, state).await.unwrap_or(RawQuery(None));
        Ok(Self::read(query.as_deref().unwrap_or_default())?)
    }
}

/// A form in the body (`application/x-www-form-urlencoded`); what is sent as something else holds nothing.
pub(super) struct FormOf(pub(super) QueryOf);

impl FromRequest<AppState> for FormOf {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let is_form = essence(request.headers()).is_some_and(|essence| essence == "application/x-www-form-urlencoded");
        let bytes = read_body(request, state).await?;
        let text = std::str::from_utf8(&bytes).map_err(|_| FieldError::new("body", "is not UTF-8"))?;
        Ok(Self(QueryOf::read(if is_form { text } else { "" })?))
    }
}

/// A body as it came, with what it calls itself: for dialects that have words of their own for a wrong one.
pub(super) struct RawBody {
    /// The media type in lower case, without parameters.
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
    /// Reads pairs as forms write them.
    pub(super) fn read(text: &str) -> Result<Self, FieldError> {
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            // A key that is no text is no key of ours.
            let Some(key) = decode(key) else { continue };
            let value = decode(value).ok_or_else(|| FieldError::new(key.clone(), "is not UTF-8 after decoding"))?;
            values.entry(key).or_default().push(value);
        }
        Ok(Self(values))
    }

    /// All values of a key that may repeat.
    pub(super) fn all(&mut self, key: &str) -> Vec<String> {
        self.0.remove(key).unwrap_or_default()
    }

    /// The value of a key that may stand once.
    pub(super) fn one(&mut self, key: &str) -> Result<Option<String>, FieldError> {
        let mut values = self.all(key);
        if values.len() > 1 {
            return Err(FieldError::new(key, "stands more than once"));
        }
        Ok(values.pop())
    }

    /// The same, read as a value of some form.
    pub(super) fn parsed<T>(&mut self, key: &str) -> Result<Option<T>, FieldError>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        let Some(text) = self.one(key)? else { return Ok(None) };
        text.parse().map(Some).map_err(|error: T::Err| FieldError::new(key, error.to_string()))
    }
}
