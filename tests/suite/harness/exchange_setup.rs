//! A server with every flow of the exchange enabled, rules, a running build, and two external providers with configured
//! keys: `partner` (generic) and `hub` (github).

use std::sync::Arc;

use buildpass::exchange::{Applied, ChangeSet, Prune, read_rules_file};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Auth, Build, Credential, Reply, Server, Start, registration};
use crate::verifier::forge::{Forge, claims_with, header};

/// Configuration of every [`ExchangeSetup`].
pub(crate) const TOML: &str = "[issuer]\nurl = \"https://ci.example.com\"\n\
    [exchange]\nrubygems_host = \"gems.example.com\"\nnuget_audience = \"https://nuget.example.com\"\n\
    registry_audience = \"registry.example.com\"\n";

/// Rules of every [`ExchangeSetup`].
pub(crate) const RULES: &str = r#"
[[users]]
name = "octo"

[[rubygems.roles]]
name = "push-app"
user = "octo"
provider = "self"
permissions = { scopes = ["push_rubygem"], gems = ["app"], valid_for = "30m" }
[[rubygems.roles.access_policy.statements]]
effect = "allow"
principal = { oidc = "https://ci.example.com" }
conditions = [
  { operator = "string_equals", claim = "aud", value = "gems.example.com" },
  { operator = "string_equals", claim = "repo", value = "acme/app" },
]

[[rubygems.trusted_publishers]]
gem = "app"
user = "octo"
provider = "self"
criteria = { org = "acme", org_id = "42", repo = "app", repo_id = "1001" }

[[nuget.trust_policies]]
name = "nuget-app"
user = "octo"
owner = "acme"
kind = "vela"
criteria = { org = "acme", repo = "app" }
packages = ["Acme.*"]
scopes = ["package:push"]

[[grants]]
name = "artefacts"
provider = "self"
audience = "https://artefacts.example.com"
when = 'identity.oidc.claims.repo == "acme/app" && identity.oidc.claims.trusted == "true"'
scopes = ["read", "write"]

[[grants]]
name = "signed"
provider = "self"
audience = "https://signed.example.com"
scopes = ["read"]
token = "jwt"
valid_for = "10m"
"#;

/// Flows, each with its audience.
pub(crate) const FLOWS: [(&str, &str); 6] = [
    ("grant", "https://artefacts.example.com"),
    ("role", "gems.example.com"),
    ("publisher", "gems.example.com"),
    ("nuget", "https://nuget.example.com"),
    ("registry", "registry.example.com"),
    ("authz", "https://artefacts.example.com"),
];

/// Access policy that allows every build to use acme's repositories.
pub(crate) const OPEN: &str = "[repository.\"acme\".access_policy]\nproviders = [\"self\"]\nrules = [\"true\"]\n";

/// Server, client and build for tests of the exchange.
pub(crate) struct ExchangeSetup {
    pub(crate) server: Server,
    pub(crate) forge: Arc<Forge>,
    pub(crate) client: Credential,
    pub(crate) build: Build,
}

impl ExchangeSetup {
    pub(crate) async fn open() -> Self {
        Self::with("", RULES).await
    }

    /// Starts with `toml` added to the configuration, and applies `rules`.
    pub(crate) async fn with(toml: &str, rules: &str) -> Self {
        Self::on(Start::new(&format!("{TOML}{toml}")), rules).await
    }

    pub(crate) async fn on(start: Start, rules: &str) -> Self {
        let server = start.go().await;
        let client = server.client().await;
        let build = server.register(&client, &registration()).await;
        let setup = Self { server, forge: Arc::new(Forge::new()), client, build };
        setup.apply(rules).await;
        setup
    }

    /// Returns the external providers, as a rules file has them.
    pub(crate) fn external_providers(&self) -> String {
        let jwks = toml::Value::try_from(self.forge.jwks()).unwrap();
        format!(
            "[[providers]]\nname = \"partner\"\nprovider = \"generic\"\nissuer = \"https://issuer.example\"\njwks = {jwks}\n\
             [[providers]]\nname = \"hub\"\nprovider = \"github\"\njwks = {jwks}\n"
        )
    }

    pub(crate) async fn try_apply(&self, rules: &str, prune: Prune) -> Result<Applied, String> {
        let file = read_rules_file(rules).map_err(|error| error.to_string())?;
        let changes = ChangeSet { file, prune, ..ChangeSet::default() };
        self.server.app.rules_editor().apply(&changes, "test", false).await.map_err(|error| error.to_string())
    }

    pub(crate) async fn apply(&self, rules: &str) -> Applied {
        self.try_apply(rules, Prune::Nothing).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Returns the token of a role.
    pub(crate) async fn role(&self, name: &str) -> String {
        let rules = self.server.app.rules_editor().current().await.unwrap();
        rules.entitlements.iter().find(|row| row.name == name).unwrap().token.clone().unwrap()
    }

    /// Fetches an ID token of the running build.
    pub(crate) async fn token(&self, audience: &str) -> String {
        self.token_of(&self.build.id, json!({ "audience": audience })).await
    }

    pub(crate) async fn token_of(&self, build: &str, body: Value) -> String {
        let path = format!("/api/v1/builds/{build}/id_tokens");
        let reply = self.server.post(&path, Auth::Client(&self.client), &body).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        reply.json()["value"].as_str().unwrap().to_owned()
    }

    /// Returns a token of the provider `partner` with these claims changed.
    pub(crate) fn partner(&self, claims: Value) -> String {
        self.forge.token(&header("RS256"), &claims_with(claims))
    }

    pub(crate) async fn finish(&self) {
        let path = format!("/api/v1/builds/{}/finish", self.build.id);
        let reply = self.server.post(&path, Auth::Client(&self.client), &json!({ "status": "success" })).await;
        assert_eq!(reply.status, 204);
    }

    pub(crate) async fn form(&self, path: &str, auth: Auth<'_>, fields: &[(&str, &str)]) -> Reply {
        self.server.form(path, auth, fields).await
    }

    /// Exchanges a token at the token endpoint (RFC 8693), with additional parameters.
    pub(crate) async fn exchange(&self, token: &str, more: &[(&str, &str)]) -> Reply {
        let mut fields = vec![
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", token),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
        ];
        fields.extend_from_slice(more);
        self.form("/oauth/token", Auth::None, &fields).await
    }

    /// Returns the key or access token of a successful exchange.
    pub(crate) async fn granted(&self, audience: &str) -> String {
        let reply = self.exchange(&self.token(audience).await, &[]).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// Sends a token to a flow, in its own protocol; `api` is the API, for clients without a secret.
    pub(crate) async fn ask(&self, flow: &str, token: &str) -> Reply {
        match flow {
            "grant" => self.exchange(token, &[]).await,
            "role" => self.assume(&self.role("push-app").await, token).await,
            "publisher" => self.publisher(token).await,
            "nuget" => self.nuget(token, "octo").await,
            "registry" => self.server.get("/token?scope=repository:acme/app:pull", Auth::Token(token)).await,
            "authz" => self.authz("artefacts", "GET", "/x", &[("authorization", &format!("Bearer {token}"))]).await,
            _ => self.server.get(&format!("/api/v1/builds/{}", self.build.id), Auth::Token(token)).await,
        }
    }

    /// Returns how many tokens had a valid own signature but no record.
    pub(crate) async fn alarms(&self) -> u64 {
        let metrics = self.server.get(&format!("{}/metrics", self.server.admin), Auth::None).await.text;
        let alarm = metrics.lines().find(|line| line.starts_with("buildpass_unrecorded_tokens_total")).unwrap();
        alarm.rsplit(' ').next().unwrap().parse().unwrap()
    }

    pub(crate) async fn assume(&self, role: &str, token: &str) -> Reply {
        let path = format!("/api/v1/oidc/api_key_roles/{role}/assume_role");
        self.server.post(&path, Auth::None, &json!({ "jwt": token })).await
    }

    pub(crate) async fn publisher(&self, token: &str) -> Reply {
        let path = "/api/v1/oidc/trusted_publisher/exchange_token";
        self.server.post(path, Auth::None, &json!({ "jwt": token })).await
    }

    pub(crate) async fn nuget(&self, token: &str, user: &str) -> Reply {
        let body = json!({ "username": user, "tokenType": "ApiKey" });
        self.server
            .with_headers(
                Method::POST,
                "/api/v2/token",
                &[
                    ("authorization", &format!("Bearer {token}")),
                    ("user-agent", "test"),
                    ("content-type", "application/json"),
                ],
                &body.to_string(),
            )
            .await
    }

    /// Introspects a key or token as a downstream server does.
    pub(crate) async fn introspect(&self, token: &str) -> Value {
        let downstream =
            self.server.client_with(|client| client.scopes = vec![buildpass::policy::Scope::TokensIntrospect]).await;
        let reply = self.form("/oauth/introspect", Auth::Client(&downstream), &[("token", token)]).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json()
    }

    pub(crate) async fn is_active(&self, token: &str) -> bool {
        self.introspect(token).await["active"] == true
    }

    /// Sends the forward-auth request of nginx.
    pub(crate) async fn authz(&self, grant: &str, method: &str, uri: &str, more: &[(&str, &str)]) -> Reply {
        let mut headers =
            vec![("x-original-method", method), ("x-original-uri", uri), ("x-original-host", "store.example.com")];
        headers.extend_from_slice(more);
        self.server.with_headers(Method::GET, &format!("/authz/{grant}"), &headers, "").await
    }
}
