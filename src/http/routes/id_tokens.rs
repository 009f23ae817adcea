//! Handlers that issue ID tokens: to a CI job, under our path or Vela's, or to a CI server that passes the tokens to
//! its builds.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::super::error::Problem;
use super::super::extract::{BuildToken, ClientAuth, PathParams, QueryParams, UnreadJson};
use super::super::peer::Peer;
use super::super::state::AppState;
use crate::base::{BuildId, FieldError, Jti, Moment, Seconds};
use crate::claims::{Audiences, StepRequest};
use crate::issuer::{DirectRequest, Issued, IssuedToken, Preview, PullPath, TokenRequest};
use crate::jose::Algorithm;
use crate::policy::Scope;

#[derive(Serialize)]
struct TokenAnswer<'a> {
    /// The ID token, in the member that GitHub's clients read.
    value: &'a str,
    /// The ID token, in the member that Vela's clients read.
    token: &'a str,
    expires_at: Moment,
    expires_in: u64,
    jti: Jti,
    issuer: &'a str,
    subject: &'a str,
    audience: &'a Audiences,
    rule: Option<&'a str>,
}

#[derive(Serialize)]
struct PreviewAnswer<'a> {
    preview: bool,
    issuer: &'a str,
    subject: &'a str,
    audience: &'a Audiences,
    rule: Option<&'a str>,
    algorithm: Algorithm,
    expires_in: u64,
    claims: &'a serde_json::Value,
}

/// Query parameters of a CI job's request for an ID token.
struct PullQuery {
    request: TokenRequest,
    preview: bool,
    /// Whether the answer is only the token, as plain text instead of JSON.
    raw: bool,
}

impl PullQuery {
    fn parse(mut query: QueryParams, peer: Peer) -> Result<Self, FieldError> {
        let raw = match query.one("format")?.as_deref() {
            None | Some("json") => false,
            Some("raw") => true,
            Some(_) => return Err(FieldError::new("format", "must be json or raw")),
        };
        let preview = match query.one("preview")?.as_deref() {
            None | Some("0") => false,
            Some("1") => true,
            Some(_) => return Err(FieldError::new("preview", "must be 0 or 1")),
        };
        let lifetime = query.one("lifetime")?.map(|text| whole_seconds(&text)).transpose()?;
        let request = TokenRequest {
            audiences: query.all("audience"),
            lifetime,
            algorithm: query.parsed("algorithm")?,
            peer: Some(peer.0.to_string()),
        };
        Ok(Self { request, preview, raw })
    }
}

pub(in super::super) async fn pull(
    state: State<AppState>,
    bearer: BuildToken,
    PathParams(build): PathParams<BuildId>,
    peer: axum::Extension<Peer>,
    query: QueryParams,
) -> Result<Response, Problem> {
    pull_by(&state, &bearer, &PullPath::Build(build), *peer, query).await
}

pub(in super::super) async fn pull_as_vela(
    state: State<AppState>,
    bearer: BuildToken,
    path: Result<Path<(String, String, String)>, axum::extract::rejection::PathRejection>,
    peer: axum::Extension<Peer>,
    query: QueryParams,
) -> Result<Response, Problem> {
    let Path((org, repo, number)) = path.map_err(|_| Problem::unauthenticated())?;
    pull_by(&state, &bearer, &PullPath::Vela { org, repo, number }, *peer, query).await
}

async fn pull_by(
    state: &AppState,
    BuildToken(token): &BuildToken,
    path: &PullPath,
    peer: Peer,
    query: QueryParams,
) -> Result<Response, Problem> {
    let PullQuery { request, preview, raw } = PullQuery::parse(query, peer)?;
    let issued = state.app.issuer().pull(token, path, request, preview).await?;
    Ok(answer(state, StatusCode::OK, &issued, raw))
}

fn whole_seconds(text: &str) -> Result<Seconds, FieldError> {
    let malformed = || FieldError::new("lifetime", "must be a whole number of seconds from 1, such as 300");
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(malformed());
    }
    // A number that overflows becomes the maximum, and is refused later as a lifetime over the limit.
    let seconds = text.parse().unwrap_or(u64::MAX);
    if seconds == 0 { Err(malformed()) } else { Ok(Seconds::new(seconds)) }
}

fn answer(state: &AppState, status: StatusCode, issued: &Issued, raw: bool) -> Response {
    let issuer = state.app.issuer().url().as_str();
    match issued {
        Issued::Preview(preview) => Json(preview_answer(issuer, preview)).into_response(),
        Issued::Token(token) if raw => {
            let plain = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
            (status, plain, token.token.expose_secret().clone()).into_response()
        }
        Issued::Token(token) => (status, Json(token_answer(issuer, token))).into_response(),
    }
}

fn token_answer<'a>(issuer: &'a str, issued: &'a IssuedToken) -> TokenAnswer<'a> {
    TokenAnswer {
        value: issued.token.expose_secret(),
        token: issued.token.expose_secret(),
        expires_at: issued.expires_at,
        expires_in: issued.lifetime.get(),
        jti: issued.jti,
        issuer,
        subject: &issued.subject,
        audience: &issued.audiences,
        rule: issued.rule.as_deref(),
    }
}

fn preview_answer<'a>(issuer: &'a str, preview: &'a Preview) -> PreviewAnswer<'a> {
    PreviewAnswer {
        preview: true,
        issuer,
        subject: &preview.subject,
        audience: &preview.audiences,
        rule: preview.rule.as_deref(),
        algorithm: preview.algorithm,
        expires_in: preview.lifetime.get(),
        claims: &preview.claims,
    }
}

/// One audience or a list of audiences in JSON: `"a"` or `["a", "b"]`.
#[derive(Deserialize)]
#[serde(untagged, expecting = "must be a string or a list of strings")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DirectBody {
    audience: Option<OneOrMany>,
    lifetime: Option<Seconds>,
    algorithm: Option<Algorithm>,
    step: Option<StepRequest>,
}

pub(in super::super) async fn create(
    State(state): State<AppState>,
    ClientAuth(credential): ClientAuth,
    PathParams(build): PathParams<BuildId>,
    peer: axum::Extension<Peer>,
    body: UnreadJson,
) -> Result<Response, Problem> {
    let issuer = state.app.issuer();
    let client = issuer.client(&credential, Scope::BuildsTokens).await?;
    let body = body.read::<DirectBody>(&state).await?;
    let asked = body.value;
    if asked.lifetime == Some(Seconds::ZERO) {
        return Err(FieldError::new("lifetime", "must be at least 1s").into());
    }
    let token = TokenRequest {
        audiences: asked.audience.map(OneOrMany::into_vec).unwrap_or_default(),
        lifetime: asked.lifetime,
        algorithm: asked.algorithm,
        peer: Some(peer.0.0.to_string()),
    };
    let issued = issuer.issue_direct(client, build, DirectRequest { token, step: asked.step }).await?;
    Ok(answer(&state, StatusCode::CREATED, &issued, false))
}
