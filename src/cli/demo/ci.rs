//! The CI server and the job of the demo. Both call the server over HTTP, and must hold only the credentials that a
//! real CI server or job would have.

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::header;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::super::api::{Api, Response};
use super::super::failure::Failure;
use super::super::token::{TokenEndpoint, TokenRequest};
use crate::app::App;
use crate::base::{ClientId, Secret};
use crate::policy::{Client, Scope};

/// The demo's CI server, which calls the API as a client.
pub(super) struct CiServer {
    api: Api,
    base: String,
    id: ClientId,
    secret: Secret<String>,
}

/// Members of a registration's response that the demo uses.
#[derive(Deserialize)]
pub(super) struct Registered {
    pub(super) id: String,
    pub(super) subject: Option<String>,
    pub(super) env: BTreeMap<String, String>,
}

impl CiServer {
    /// Creates the CI server's client in the store, as `clients create` does.
    pub(super) async fn create(app: &Arc<App>, base: &str) -> Result<Self, Failure> {
        let now = app.clock().now();
        let secret = Secret::draw("bpc_", app.entropy())?;
        let client = Client {
            id: ClientId::new(now, app.entropy())?,
            name: "demo-ci".to_owned(),
            scopes: Scope::CI_SERVER.to_vec(),
            organizations: vec!["acme".parse().map_err(Failure::refused)?],
            audiences: Vec::new(),
            ids: None,
            identity: None,
            created_at: now,
            disabled_at: None,
            declared: false,
            revision: 0,
        };
        let created = app.store().create_client(app.issuer().id(), &client, secret.digest()).await?;
        created.map_err(Failure::refused)?;
        let url = Url::parse(base).map_err(Failure::refused)?;
        Ok(Self { api: Api::of(&url)?, base: base.to_owned(), id: client.id, secret })
    }

    pub(super) fn id(&self) -> &str {
        self.id.as_str()
    }

    /// Returns the client's id and secret as `ID:SECRET`, the form that curl expects.
    pub(super) fn credentials(&self) -> String {
        format!("{}:{}", self.id, self.secret.expose_secret())
    }

    pub(super) async fn register(&self, number: u64, timeout: &str) -> Result<Registered, Failure> {
        let build = json!({
            "org": "acme", "org_id": "42", "repo": "app", "repo_id": "1001", "number": number, "event": "push",
            "author": "octocat", "author_id": "7", "actor": "octocat", "actor_id": "7",
            "ref": "refs/heads/main", "sha": "4b825dc642cb6eb9a060e54bf8d69288fbee4904", "ref_protected": true,
            "visibility": "private", "workflow": "ci.yml", "properties": {"team": "payments"}, "timeout": timeout,
        });
        self.post("", &build).await?.document()
    }

    pub(super) async fn finish(&self, build: &str) -> Result<(), Failure> {
        self.post(&format!("/{build}/finish"), &json!({"status": "success"})).await.map(drop)
    }

    async fn post(&self, path: &str, body: &serde_json::Value) -> Result<Response, Failure> {
        let url = format!("{}/api/v1/builds{path}", self.base);
        let request = |client: &reqwest::Client| {
            let request = client.post(&url).basic_auth(self.id.as_str(), Some(self.secret.expose_secret()));
            request.header(header::CONTENT_TYPE, "application/json").body(body.to_string())
        };
        self.api.call(request).await?.success()
    }
}

impl Registered {
    /// Starts the build's job with the variables of the registration's response.
    pub(super) fn job(&self) -> Result<Job, Failure> {
        let variable = |name: &str| {
            let value = self.env.get(name).cloned();
            value.ok_or_else(|| Failure::refused(format!("the registration's response has no variable {name} in env")))
        };
        let token = Secret::new(variable("BUILDPASS_ID_TOKEN_REQUEST_TOKEN")?);
        let endpoint =
            TokenEndpoint::new(&variable("BUILDPASS_ID_TOKEN_REQUEST_URL")?, token).map_err(Failure::refused)?;
        Ok(Job { endpoint })
    }
}

/// The job of a build, with the job's request URL and request token.
pub(super) struct Job {
    endpoint: TokenEndpoint,
}

impl Job {
    /// Returns the name of the rule by which the server would issue a token for `audience`.
    pub(super) async fn preview(&self, audience: &str) -> Result<String, Failure> {
        #[derive(Deserialize)]
        struct Preview {
            preview: bool,
            rule: Option<String>,
        }
        let preview = TokenRequest { preview: true, ..request(audience) };
        let response: Preview = self.endpoint.send(&preview).await?.success()?.document()?;
        if !response.preview {
            return Err(Failure::refused(
                "requested a preview of a token, but the server did not mark its answer as a preview",
            ));
        }
        Ok(response.rule.unwrap_or_else(|| "issuance.default, because the build is trusted".to_owned()))
    }

    pub(super) async fn fetch(&self, audience: &str) -> Result<Secret<String>, Failure> {
        #[derive(Deserialize)]
        struct Fetched {
            value: String,
        }
        let fetched: Fetched = self.endpoint.send(&request(audience)).await?.success()?.document()?;
        Ok(Secret::new(fetched.value))
    }

    /// Requests a token after the build has finished, and returns the server's error.
    pub(super) async fn refused(&self, audience: &str) -> Result<String, Failure> {
        let response = self.endpoint.send(&request(audience)).await?;
        if response.status != 401 {
            let status = response.status;
            let problem = format!("a request with a revoked request token was answered {status}; expected 401");
            return Err(Failure::refused(problem));
        }
        Ok(format!("401, {}", response.error_text().unwrap_or_default()))
    }
}

fn request(audience: &str) -> TokenRequest {
    TokenRequest { audiences: vec![audience.to_owned()], ..TokenRequest::default() }
}
