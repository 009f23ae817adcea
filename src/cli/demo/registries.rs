//! The services of the demo that accept credentials, reduced to their calls to buildpass: a gem server, a NuGet feed, a
//! store and a container registry. The services know only the URL of buildpass, and must learn about keys by
//! introspection.

use std::sync::Arc;

use reqwest::{Client as Http, RequestBuilder, header};
use serde_json::{Value, json};
use url::Url;

use super::super::api::{Api, Response};
use super::super::failure::Failure;
use super::super::output;
use super::ci::Job;
use super::story::Story;
use crate::app::App;
use crate::base::{ClientId, IssuerId, Secret, Sha256};
use crate::exchange::flows::rubygems_role::RubygemsRole;
use crate::exchange::{ChangeSet, provenance, read_rules_file};
use crate::jose;
use crate::policy::{Client, Scope};

/// Audience of tokens for the grant `store`. Tokens for the other flows have default audiences, made from the issuer's
/// URL.
const STORE: &str = "https://store.example.com";

/// The rules file that the demo's operator applies.
const RULES: &str = r#"[[users]]
name = "octo"

[[rubygems.roles]]
name = "push-app"
user = "octo"
provider = "self"
permissions = { scopes = ["push_rubygem"], gems = ["app"] }
access_policy = { statements = [{ effect = "allow", conditions = [
  { operator = "string_equals", claim = "repo", value = "acme/app" },
] }] }

[[rubygems.trusted_publishers]]
gem = "app-cli"
user = "octo"
provider = "self"
criteria = { org = "acme", repo = "app" }

[[nuget.trust_policies]]
name = "nuget-app"
user = "octo"
owner = "acme"
kind = "vela"
criteria = { org = "acme", repo = "app" }
packages = ["Acme.*"]

[[grants]]
name = "store"
provider = "self"
audience = "https://store.example.com"
when = 'identity.oidc.claims.repo == "acme/app" && identity.oidc.claims.trusted == "true"'
scopes = ["read", "write"]
"#;

/// The configuration of the demo's server: an access policy for a repository of the container registry.
pub(super) const CONFIGURATION: &str = r#"[repository."acme/app".access_policy]
providers = ["self"]
rules = ["identity.oidc.claims.repo == 'acme/app'"]
"#;

/// Returns the rules file with a role that only builds of another repository may assume.
fn changed_rules() -> String {
    RULES.replacen("value = \"acme/app\"", "value = \"acme/website\"", 1)
}

/// The demo's gem server, NuGet feed, store and container registry. All of them call buildpass as one client.
pub(super) struct Registries<'a> {
    app: &'a Arc<App>,
    base: String,
    api: Api,
    client: (ClientId, Secret<String>),
}

impl<'a> Registries<'a> {
    /// Applies the rules file and creates the client of the services.
    pub(super) async fn open(app: &'a Arc<App>, base: &str) -> Result<Self, Failure> {
        apply(app, RULES).await?;
        let (now, secret) = (app.clock().now(), Secret::draw("bpc_", app.entropy())?);
        let client = Client {
            id: ClientId::new(now, app.entropy())?,
            name: "demo-registries".to_owned(),
            scopes: vec![Scope::TokensIntrospect, Scope::PublicationsWrite],
            organizations: Vec::new(),
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
        let api = Api::of(&Url::parse(base).map_err(Failure::refused)?)?;
        Ok(Self { app, base: base.to_owned(), api, client: (client.id, secret) })
    }

    /// Exchanges one token in each flow. Returns the RubyGems API key, and the token that was redeemed for the key.
    pub(super) async fn exchange_all(&self, job: &Job, story: &Story) -> Result<(String, Secret<String>), Failure> {
        let audiences = self.settings();
        let gems = job.fetch(&audiences.rubygems_host).await?;
        let key = self.assume(&self.role().await?, &gems).await?.success()?.document::<Value>()?;
        story.fact("RubyGems", &members(&key, &["name", "scopes", "gem"]))?;

        let body = json!({ "jwt": job.fetch(&audiences.rubygems_host).await?.expose_secret() });
        let path = "/api/v1/oidc/trusted_publisher/exchange_token";
        let response = self.post(path, |request| request.json(&body)).await?.success()?;
        story.fact("publisher", &members(&response.document()?, &["scopes", "gem"]))?;

        let token = job.fetch(&audiences.nuget_audience).await?;
        let body = json!({ "username": "octo", "tokenType": "ApiKey" });
        let response = self.post("/api/v2/token", |request| bearer(request, &token).json(&body)).await?.success()?;
        story.fact("NuGet", &members(&response.document()?, &["tokenType", "expires"]))?;

        let token = job.fetch(STORE).await?;
        let response = self.exchange(&token).await?.success()?;
        story.fact("RFC 8693", &members(&response.document()?, &["token_type", "expires_in", "scope"]))?;

        let token = job.fetch(&audiences.registry_audience).await?;
        let url = format!("{}/token?scope=repository:acme/app:pull", self.base);
        let response = self.api.call(|http: &Http| bearer(http.get(&url), &token)).await?.success()?;
        story.fact("registry", &members(&claims_of(&response)?, &["access"]))?;

        let token = job.fetch(STORE).await?;
        story.fact("a proxy", &self.behind_a_proxy(&token).await?)?;
        let key = key.get("rubygems_api_key").and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok((key, gems))
    }

    /// Asks the server, as a proxy in front of the store does, whether an upload with `token` may pass. Returns the
    /// status and the subject in the response.
    async fn behind_a_proxy(&self, token: &Secret<String>) -> Result<String, Failure> {
        let url = format!("{}/authz/store", self.base);
        let headers = [("X-Original-Method", "PUT"), ("X-Original-URI", "/app.tgz"), ("X-Original-Host", "store")];
        let request = |http: &Http| {
            headers.iter().fold(bearer(http.get(&url), token), |request, (name, value)| request.header(*name, *value))
        };
        let response = self.api.call(request).await?.success()?;
        let subject = response.headers.get("x-buildpass-subject").and_then(|value| value.to_str().ok());
        Ok(format!("{}, X-Buildpass-Subject {}", response.status, output::visible(subject.unwrap_or_default())))
    }

    /// Pushes a package with the key: the gem server introspects the key and records the publication.
    pub(super) async fn push(&self, key: &str, story: &Story) -> Result<(), Failure> {
        let form = url::form_urlencoded::Serializer::new(String::new()).append_pair("token", key).finish();
        let response = self.post("/oauth/introspect", |request| form_of(self.as_client(request), form.clone())).await?;
        story
            .fact("introspect", &members(&response.success()?.document()?, &["active", "flow", "scope", "packages"]))?;
        let digest = format!("sha256:{}", Sha256::of(b"a gem"));
        let body = json!({
            "ecosystem": "rubygems", "package": "app", "version": "1.2.0", "digest": digest, "key": key,
        });
        let response = self.post("/api/v1/publications", |request| self.as_client(request).json(&body)).await?;
        story.fact("publish", &members(&response.success()?.document()?, &["package", "version", "audience"]))
    }

    /// Prints the build that pushed the package.
    pub(super) async fn provenance(&self, story: &Story) -> Result<(), Failure> {
        let found = provenance(&**self.app.store(), &IssuerId::main(), "app", "1.2.0", None).await?;
        let Some((publication, key, token)) = found.first() else {
            return Err(Failure::refused("no publication of app 1.2.0 is recorded"));
        };
        let claims: Value = serde_json::from_str(&token.claims).unwrap_or_default();
        story.fact("digest", &publication.digest)?;
        story.fact("key", &key.name)?;
        story.fact("claims", &members(&claims, &["repo", "sub", "build_number", "actor"]))
    }

    /// Shows that RubyGems' flow rejects a redeemed token, and a token for another audience.
    pub(super) async fn refusals(&self, job: &Job, redeemed: &Secret<String>, story: &Story) -> Result<(), Failure> {
        let role = self.role().await?;
        story.fact("again", &rejected(self.assume(&role, redeemed).await?, 422)?)?;
        let for_the_store = job.fetch(STORE).await?;
        story.fact("elsewhere", &rejected(self.assume(&role, &for_the_store).await?, 404)?)
    }

    /// Changes the role to another repository, and prints why the role then rejects a token of the job.
    pub(super) async fn explain(&self, job: &Job, story: &Story) -> Result<(), Failure> {
        apply(self.app, &changed_rules()).await?;
        let (role, token) = (self.role().await?, job.fetch(&self.settings().rubygems_host).await?);
        story.fact("answer", &rejected(self.assume(&role, &token).await?, 404)?)?;
        let exchange = self.app.exchange().ok_or_else(|| Failure::refused("the exchange is disabled"))?;
        let explained = exchange.explain(&RubygemsRole { role }, &token).await;
        let explained = explained.map_err(|error| Failure::refused(error.to_string()))?;
        story.quote(&explained.to_string())
    }

    /// Returns whether introspection reports `key` as active.
    pub(super) async fn is_active(&self, key: &str) -> Result<bool, Failure> {
        let form = url::form_urlencoded::Serializer::new(String::new()).append_pair("token", key).finish();
        let response = self.post("/oauth/introspect", |request| form_of(self.as_client(request), form.clone())).await?;
        Ok(response.success()?.document::<Value>()?.get("active") == Some(&Value::Bool(true)))
    }

    /// Exchanges a token of the job for an access token of the store.
    pub(super) async fn store_key(&self, job: &Job) -> Result<String, Failure> {
        let response: Value = self.exchange(&job.fetch(STORE).await?).await?.success()?.document()?;
        Ok(response.get("access_token").and_then(Value::as_str).unwrap_or_default().to_owned())
    }

    fn settings(&self) -> &crate::exchange::ExchangeSettings {
        &self.app.rules_editor().settings
    }

    async fn role(&self) -> Result<String, Failure> {
        let current = self.app.rules_editor().current().await?;
        let role = current.entitlements.into_iter().find_map(|row| row.token);
        role.ok_or_else(|| Failure::refused("the role does not exist"))
    }

    async fn assume(&self, role: &str, token: &Secret<String>) -> Result<Response, Failure> {
        let body = json!({ "jwt": token.expose_secret() });
        self.post(&format!("/api/v1/oidc/api_key_roles/{role}/assume_role"), |request| request.json(&body)).await
    }

    async fn exchange(&self, token: &Secret<String>) -> Result<Response, Failure> {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange")
            .append_pair("subject_token_type", "urn:ietf:params:oauth:token-type:id_token")
            .append_pair("subject_token", token.expose_secret())
            .finish();
        self.post("/oauth/token", |request| form_of(request, form.clone())).await
    }

    async fn post(&self, path: &str, with: impl Fn(RequestBuilder) -> RequestBuilder) -> Result<Response, Failure> {
        let url = format!("{}{path}", self.base);
        self.api.call(|http: &Http| with(http.post(&url))).await
    }

    fn as_client(&self, request: RequestBuilder) -> RequestBuilder {
        request.basic_auth(self.client.0.as_str(), Some(self.client.1.expose_secret()))
    }
}

async fn apply(app: &App, rules: &str) -> Result<(), Failure> {
    let file = read_rules_file(rules).map_err(Failure::refused)?;
    app.rules_editor().apply(&ChangeSet { file, ..ChangeSet::default() }, "demo", false).await?;
    Ok(())
}

fn bearer(request: RequestBuilder, token: &Secret<String>) -> RequestBuilder {
    request.bearer_auth(token.expose_secret())
}

fn form_of(request: RequestBuilder, form: String) -> RequestBuilder {
    request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(form)
}

/// Returns the claims of the registry's token in `response`, without verifying the token.
fn claims_of(response: &Response) -> Result<Value, Failure> {
    let document: Value = response.document()?;
    let token = document.get("token").and_then(Value::as_str).unwrap_or_default();
    let peeked = jose::peek(token).map_err(Failure::refused)?;
    serde_json::from_slice(peeked.unverified_payload()).map_err(Failure::refused)
}

/// Formats the members `names` of a JSON document on one line.
fn members(document: &Value, names: &[&str]) -> String {
    let member = |name: &&str| document.get(*name).map(|value| format!("{name} {value}"));
    names.iter().filter_map(member).collect::<Vec<_>>().join(", ")
}

/// Formats an error response as text, or fails if the response has another status than `status`.
fn rejected(response: Response, status: u16) -> Result<String, Failure> {
    if response.status != status {
        let found = response.status;
        let problem = format!("a request with an invalid token was answered {found}; expected {status}");
        return Err(Failure::refused(problem));
    }
    let body: Value = response.document()?;
    Ok(format!("{status}, {}", output::visible(&body.to_string())))
}
