//! JSON bodies, which only callers with a verified credential may send. Refuses unknown fields and wrong types by name,
//! and must never repeat a value of the body: the value may be a secret that was pasted by mistake.

use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;

use super::super::body_budget::Reservation;
use super::super::error::{Code, Problem};
use super::super::state::AppState;
use super::body::UnreadBody;
use crate::base::{FieldError, Sha256};
use crate::jose::{JsonProblem, require_unique_members};

/// JSON body that is not read yet. Its media type and declared length have been checked.
pub(in super::super) struct UnreadJson(UnreadBody);

/// JSON body with the digest of its bytes.
pub(in super::super) struct JsonBody<T> {
    pub(in super::super) value: T,
    pub(in super::super) digest: Sha256,
    /// Counts the memory of the value, about the size of its bytes, until the handler drops it.
    _held: Reservation,
}

impl FromRequest<AppState> for UnreadJson {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let body = UnreadBody::from_request(request, state).await?;
        if body.media_type() != Some("application/json") {
            return Err(Problem::new(Code::UnsupportedMediaType, "Content-Type: must be application/json"));
        }
        Ok(Self(body))
    }
}

impl UnreadJson {
    /// Reads the body of a caller whose credential the handler has verified.
    pub(in super::super) async fn read<T: DeserializeOwned>(self, state: &AppState) -> Result<JsonBody<T>, Problem> {
        let (bytes, held) = self.0.read_from_known(state).await?.into_parts();
        Ok(JsonBody { value: parse(&bytes)?, digest: Sha256::of(&bytes), _held: held })
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|_| FieldError::new("body", "must be UTF-8"))?;
    // serde would accept an array and read its elements as the fields.
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

/// Turns serde's error into a field's name and a requirement. Leaves out the value that serde quotes: it may be a
/// secret that was pasted by mistake.
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
    // serde reports a value of the wrong type in place of an enum's name with the same text.
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
