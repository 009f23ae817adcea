//! The demo's downstreams: a gem server, a NuGet feed, a store and a registry, as far as they speak to buildpass. They
//! know nothing but its URL, and of keys what introspection says.

use std::sync::Arc;

use reqwest::{Client as Http, RequestBuilder, header};
use serde_json::{Value, json};
use url::Url;

use super::super::api::{Answer, Api};
use super::super::failure::Failure;
use super::super::output;
use super::people::Job;
use super::story::Story;
use crate::app::App;
use crate::base::{ClientId, IssuerId, Secret, Sha256};
use crate::exchange::flows::rubygems_role::RubygemsRole;
use crate::exchange::{ChangeSet, provenance, read_rules_file};
use crate::jose;
use crate::policy::{Client, Scope};

/// Audiences of the doors that the rules name; the other doors' are the issuer's host and origin.
const STORE: &str = "https://store.example.com";

/// What the operator brings in.
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

/// What the configuration says of the registry.
pub(super) const CONFIGURATION: &str = r#"[repository."acme/app".access_policy]
providers = ["self"]
rules = ["identity.oidc.claims.repo == 'acme/app'"]
"#;

/// The same with a role that takes another repository's tokens.
fn broken_rules() -> String {
    RULES.replacen("value = \"acme/app\"", "value = \"acme/website\"", 1)
}

/// Everything that trades with the server.
pub(super) struct Market<'a> {
    app: &'a Arc<App>,
    base: String,
    api: Api,
    downstream: (ClientId, Secret<String>),
}

impl<'a> Market<'a> {
    /// Brings the rules in, and makes the client by which the downstreams ask.
    pub(super) async fn open(app: &'a Arc<App>, base: &str) -> Result<Self, Failure> {
        apply(app, RULES).await?;
        let (now, secret) = (app.clock().now(), Secret::draw("bpc_", app.entropy())?);
        let client = Client {
            id: ClientId::new(now, app.entropy())?,
            name: "demo-downstream".to_owned(),
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
        Ok(Self { app, base: base.to_owned(), api, downstream: (client.id, secret) })
    }

    /// One token for each door, and what is had for it; gives back the gem key and the token that it was had for.
    pub(super) async fn trade(&self, job: &Job, story: &Story) -> Result<(String, Secret<String>), Failure> {
        let doors = self.doors();
        let gems = job.fetch(&doors.rubygems_host).await?;
        let key = self.assume(&self.role().await?, &gems).await?.success()?.document::<Value>()?;
        story.fact("RubyGems", &told(&key, &["name", "scopes", "gem"]))?;

        let body = json!({ "jwt": job.fetch(&doors.rubygems_host).await?.expose_secret() });
        let path = "/api/v1/oidc/trusted_publisher/exchange_token";
        let answer = self.ask(path, |request| request.json(&body)).await?.success()?;
        story.fact("publisher", &told(&answer.document()?, &["scopes", "gem"]))?;

        let token = job.fetch(&doors.nuget_audience).await?;
        let body = json!({ "username": "octo", "tokenType": "ApiKey" });
        let answer = self.ask("/api/v2/token", |request| bearer(request, &token).json(&body)).await?.success()?;
        story.fact("NuGet", &told(&answer.document()?, &["tokenType", "expires"]))?;

        let token = job.fetch(STORE).await?;
        let answer = self.exchange(&token).await?.success()?;
        story.fact("RFC 8693", &told(&answer.document()?, &["token_type", "expires_in", "scope"]))?;

        let token = job.fetch(&doors.registry_audience).await?;
        let url = format!("{}/token?scope=repository:acme/app:pull", self.base);
        let answer = self.api.call(|http: &Http| bearer(http.get(&url), &token)).await?.success()?;
        story.fact("registry", &told(&said_by(&answer)?, &["access"]))?;

        let token = job.fetch(STORE).await?;
        story.fact("a proxy", &self.behind_a_proxy(&token).await?)?;
        let key = key.get("rubygems_api_key").and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok((key, gems))
    }

    /// What a proxy in front of the store would be answered about an upload with this token.
    async fn behind_a_proxy(&self, token: &Secret<String>) -> Result<String, Failure> {
        let url = format!("{}/authz/store", self.base);
        let asked = [("X-Original-Method", "PUT"), ("X-Original-URI", "/app.tgz"), ("X-Original-Host", "store")];
        let ask = |http: &Http| {
            asked.iter().fold(bearer(http.get(&url), token), |request, (name, value)| request.header(*name, *value))
        };
        let answer = self.api.call(ask).await?.success()?;
        let subject = answer.headers.get("x-buildpass-subject").and_then(|value| value.to_str().ok());
        Ok(format!("{}, X-Buildpass-Subject {}", answer.status, output::visible(subject.unwrap_or_default())))
    }

    /// A package is pushed with the key: the gem server asks whether it is good, and records what came.
    pub(super) async fn push(&self, key: &str, story: &Story) -> Result<(), Failure> {
        let form = url::form_urlencoded::Serializer::new(String::new()).append_pair("token", key).finish();
        let answer = self.ask("/oauth/introspect", |request| form_of(self.as_client(request), form.clone())).await?;
        story.fact("it asks", &told(&answer.success()?.document()?, &["active", "flow", "scope", "packages"]))?;
        let digest = format!("sha256:{}", Sha256::of(b"a gem"));
        let body = json!({
            "ecosystem": "rubygems", "package": "app", "version": "1.2.0", "digest": digest, "key": key,
        });
        let answer = self.ask("/api/v1/publications", |request| self.as_client(request).json(&body)).await?;
        story.fact("it records", &told(&answer.success()?.document()?, &["package", "version", "audience"]))
    }

    /// From the package back to the build.
    pub(super) async fn provenance(&self, story: &Story) -> Result<(), Failure> {
        let found = provenance(&**self.app.store(), &IssuerId::main(), "app", "1.2.0", None).await?;
        let Some((publication, key, token)) = found.first() else {
            return Err(Failure::refused("nothing is recorded of app 1.2.0"));
        };
        let claims: Value = serde_json::from_str(&token.claims).unwrap_or_default();
        story.fact("digest", &publication.digest)?;
        story.fact("key", &key.name)?;
        story.fact("claims", &told(&claims, &["repo", "sub", "build_number", "actor"]))
    }

    /// A token that was traded is refused, and one at a door that it is not for.
    pub(super) async fn refusals(&self, job: &Job, spent: &Secret<String>, story: &Story) -> Result<(), Failure> {
        let role = self.role().await?;
        story.fact("again", &refused(self.assume(&role, spent).await?, 422)?)?;
        let for_the_store = job.fetch(STORE).await?;
        story.fact("elsewhere", &refused(self.assume(&role, &for_the_store).await?, 404)?)
    }

    /// The role takes another repository's tokens now, and the operator asks why this one was refused.
    pub(super) async fn explain(&self, job: &Job, story: &Story) -> Result<(), Failure> {
        apply(self.app, &broken_rules()).await?;
        let (role, token) = (self.role().await?, job.fetch(&self.doors().rubygems_host).await?);
        story.fact("answer", &refused(self.assume(&role, &token).await?, 404)?)?;
        let exchange = self.app.exchange().ok_or_else(|| Failure::refused("the exchange is not open"))?;
        let explained = exchange.explain(&RubygemsRole { role }, &token).await;
        let explained = explained.map_err(|error| Failure::refused(error.to_string()))?;
        story.quote(&explained.to_string())
    }

    /// What the store says of a key.
    pub(super) async fn is_active(&self, key: &str) -> Result<bool, Failure> {
        let form = url::form_urlencoded::Serializer::new(String::new()).append_pair("token", key).finish();
        let answer = self.ask("/oauth/introspect", |request| form_of(self.as_client(request), form.clone())).await?;
        Ok(answer.success()?.document::<Value>()?.get("active") == Some(&Value::Bool(true)))
    }

    /// A key for the store.
    pub(super) async fn store_key(&self, job: &Job) -> Result<String, Failure> {
        let answer: Value = self.exchange(&job.fetch(STORE).await?).await?.success()?.document()?;
        Ok(answer.get("access_token").and_then(Value::as_str).unwrap_or_default().to_owned())
    }

    fn doors(&self) -> &crate::exchange::ExchangeSettings {
        &self.app.rules_editor().settings
    }

    async fn role(&self) -> Result<String, Failure> {
        let standing = self.app.rules_editor().standing().await?;
        let role = standing.entitlements.into_iter().find_map(|row| row.token);
        role.ok_or_else(|| Failure::refused("the role was not brought in"))
    }

    async fn assume(&self, role: &str, token: &Secret<String>) -> Result<Answer, Failure> {
        let body = json!({ "jwt": token.expose_secret() });
        self.ask(&format!("/api/v1/oidc/api_key_roles/{role}/assume_role"), |request| request.json(&body)).await
    }

    async fn exchange(&self, token: &Secret<String>) -> Result<Answer, Failure> {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange")
            .append_pair("subject_token_type", "urn:ietf:params:oauth:token-type:id_token")
            .append_pair("subject_token", token.expose_secret())
            .finish();
        self.ask("/oauth/token", |request| form_of(request, form.clone())).await
    }

    async fn ask(&self, path: &str, with: impl Fn(RequestBuilder) -> RequestBuilder) -> Result<Answer, Failure> {
        let url = format!("{}{path}", self.base);
        self.api.call(|http: &Http| with(http.post(&url))).await
    }

    fn as_client(&self, request: RequestBuilder) -> RequestBuilder {
        request.basic_auth(self.downstream.0.as_str(), Some(self.downstream.1.expose_secret()))
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

/// What the registry's token says: the demo shows it, and checks nothing.
fn said_by(answer: &Answer) -> Result<Value, Failure> {
    let document: Value = answer.document()?;
    let token = document.get("token").and_then(Value::as_str).unwrap_or_default();
    let peeked = jose::peek(token).map_err(Failure::refused)?;
    serde_json::from_slice(peeked.unverified_payload()).map_err(Failure::refused)
}

/// Some members of a document on one line.
fn told(document: &Value, members: &[&str]) -> String {
    let member = |name: &&str| document.get(*name).map(|value| format!("{name} {value}"));
    members.iter().filter_map(member).collect::<Vec<_>>().join(", ")
}

/// What was answered, which must be this.
fn refused(answer: Answer, status: u16) -> Result<String, Failure> {
    if answer.status != status {
        return Err(Failure::refused(format!("a token that is not right was answered {}", answer.status)));
    }
    let said: Value = answer.document()?;
    Ok(format!("{status}, {}", output::visible(&said.to_string())))
}
