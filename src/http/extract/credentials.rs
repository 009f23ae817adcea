//! Credentials of clients and builds, read from `Authorization`.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::error::Problem;
use super::super::state::AppState;
use crate::base::{ClientId, FieldError, Secret};
use crate::issuer::{ClientCredential, TokenCaller};

/// Credential of a client: `Authorization: Basic` (RFC 7617), or a provider's token as `Bearer`.
pub(in super::super) struct ClientAuth(pub(in super::super) ClientCredential);

/// Request token or worker token of a build, as `Authorization: Bearer` (RFC 6750) with the scheme in any case.
pub(in super::super) struct BuildToken(pub(in super::super) Secret<String>);

/// Credential of a client, or worker token of a build.
pub(in super::super) struct ClientOrWorker(pub(in super::super) TokenCaller);

impl FromRequestParts<AppState> for ClientAuth {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Problem> {
        match credential(&parts.headers)? {
            TokenCaller::Client(client) => Ok(Self(client)),
            TokenCaller::Worker(_) => Err(Problem::unauthenticated()),
        }
    }
}

impl FromRequestParts<AppState> for BuildToken {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Problem> {
        match credential(&parts.headers)? {
            TokenCaller::Client(_) => Err(Problem::unauthenticated()),
            TokenCaller::Worker(token) => Ok(Self(token)),
        }
    }
}

impl FromRequestParts<AppState> for ClientOrWorker {
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
        // Only a JWT, the token of a provider, contains a dot; our own random tokens do not.
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
