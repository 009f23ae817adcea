//! Parameters of paths, queries and forms.

use std::collections::BTreeMap;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Path, RawQuery};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::super::error::{Code, NO_SUCH_OBJECT, Problem};
use super::super::state::AppState;
use crate::base::FieldError;

/// Maximum number of parameters in a query or form. A parameter takes far more memory than its bytes, and no request
/// needs more than a few dozen.
const MAX_PARAMETERS: usize = 1_024;

/// Path parameters. Answers 404 if one is malformed.
pub(in super::super) struct PathParams<T>(pub(in super::super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<AppState> for PathParams<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let not_found = |_| Problem::new(Code::NotFound, NO_SUCH_OBJECT);
        let Path(read) = Path::<T>::from_request_parts(parts, state).await.map_err(not_found)?;
        Ok(Self(read))
    }
}

/// Query parameters, decoded like a form. Keeps the order of repeated values.
pub(in super::super) struct QueryParams(BTreeMap<String, Vec<String>>);

impl FromRequestParts<AppState> for QueryParams {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let RawQuery(query) = RawQuery::from_request_parts(parts, state).await.unwrap_or(RawQuery(None));
        Ok(Self::read(query.as_deref().unwrap_or_default())?)
    }
}

fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

impl QueryParams {
    /// Parses `application/x-www-form-urlencoded` text.
    pub(in super::super) fn read(text: &str) -> Result<Self, FieldError> {
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (number, pair) in text.split('&').filter(|pair| !pair.is_empty()).enumerate() {
            if number == MAX_PARAMETERS {
                return Err(FieldError::new("parameters", format!("must be at most {MAX_PARAMETERS}")));
            }
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
    pub(in super::super) fn all(&mut self, key: &str) -> Vec<String> {
        self.0.remove(key).unwrap_or_default()
    }

    /// Removes and returns the value of a key that must not be repeated.
    pub(in super::super) fn one(&mut self, key: &str) -> Result<Option<String>, FieldError> {
        let mut values = self.all(key);
        if values.len() > 1 {
            return Err(FieldError::new(key, "must not be repeated"));
        }
        Ok(values.pop())
    }

    /// Removes and parses the value of a key that must not be repeated.
    pub(in super::super) fn parsed<T>(&mut self, key: &str) -> Result<Option<T>, FieldError>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        let Some(text) = self.one(key)? else { return Ok(None) };
        text.parse().map(Some).map_err(|error: T::Err| FieldError::new(key, error.to_string()))
    }
}
