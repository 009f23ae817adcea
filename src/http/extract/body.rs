//! Bodies: JSON, forms and raw bytes, each bounded in size and time.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use super::super::error::{Code, Problem};
use super::super::state::AppState;
use super::parameters::QueryParams;
use crate::base::{FieldError, Sha256};
use crate::jose::{JsonProblem, require_unique_members};

/// Maximum size of a body, in bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// JSON body with the digest of its bytes. Refuses unknown fields and wrong types by name.
pub(in super::super) struct JsonBody<T> {
    pub(in super::super) value: T,
    pub(in super::super) digest: Sha256,
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

/// Form in the body (`application/x-www-form-urlencoded`). Empty if the body has another media type.
pub(in super::super) struct FormParams(pub(in super::super) QueryParams);

impl FromRequest<AppState> for FormParams {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let is_form = essence(request.headers()).is_some_and(|essence| essence == "application/x-www-form-urlencoded");
        let bytes = read_body(request, state).await?;
        let text = std::str::from_utf8(&bytes).map_err(|_| FieldError::new("body", "must be UTF-8"))?;
        Ok(Self(QueryParams::read(if is_form { text } else { "" })?))
    }
}

/// Body as it was sent, with its media type, for dialects that refuse a wrong one in their own words.
pub(in super::super) struct RawBody {
    /// Media type in lower case, without parameters.
    pub(in super::super) essence: Option<String>,
    pub(in super::super) bytes: Bytes,
}

impl FromRequest<AppState> for RawBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        Ok(Self { essence: essence(request.headers()), bytes: read_body(request, state).await? })
    }
}
