//! Client of buildpass for a package server: introspects API keys and records publications.

use std::error::Error;

use buildpass::base::Sha256;
use serde_json::{Value, json};

/// Connection to buildpass as a client with the scopes `tokens:introspect` and `publications:write`, limited to this
/// server's audience.
pub(crate) struct Buildpass {
    url: String,
    id: String,
    secret: String,
    http: reqwest::Client,
}

/// Scope of an active API key (RFC 7662).
pub(crate) struct Key {
    flow: String,
    scopes: Vec<String>,
    packages: Vec<String>,
}

/// Reason that a push is rejected.
pub(crate) enum Refused {
    /// The key is unknown, expired, revoked or of another flow.
    Key,
    /// The key is active and does not cover the package.
    Package,
    /// The version exists already.
    Exists,
    /// Buildpass could not be reached, or it failed.
    Unavailable(String),
}

impl Buildpass {
    /// Base URL of the API.
    #[allow(dead_code, reason = "one of the servers names it in its index")]
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Reads the connection from `BUILDPASS_URL`, `BUILDPASS_CLIENT_ID` and `BUILDPASS_CLIENT_SECRET`.
    pub(crate) fn from_environment() -> Result<Self, Box<dyn Error>> {
        #[expect(clippy::disallowed_methods, reason = "a program of its own")]
        let variable = |name: &str| std::env::var(name).map_err(|_| format!("{name} is not set"));
        Ok(Self {
            url: variable("BUILDPASS_URL")?,
            id: variable("BUILDPASS_CLIENT_ID")?,
            secret: variable("BUILDPASS_CLIENT_SECRET")?,
            http: reqwest::Client::new(),
        })
    }

    /// Introspects a key, which must be active, of this flow, and have one of these scopes.
    pub(crate) async fn key(&self, key: &str, flow: &str, scopes: &[&str]) -> Result<Key, Refused> {
        let form = url::form_urlencoded::Serializer::new(String::new()).append_pair("token", key).finish();
        let request = self.http.post(format!("{}/oauth/introspect", self.url)).body(form);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.basic_auth(&self.id, Some(&self.secret)).send().await.map_err(unavailable)?;
        let answer = answer.error_for_status().map_err(unavailable)?.json::<Value>().await.map_err(unavailable)?;
        let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let key = Key {
            flow: text("flow"),
            scopes: text("scope").split(' ').map(str::to_owned).collect(),
            packages: serde_json::from_value(answer.get("packages").cloned().unwrap_or_default()).unwrap_or_default(),
        };
        let good = answer.get("active") == Some(&Value::Bool(true)) && key.flow == flow;
        if good && key.scopes.iter().any(|scope| scopes.contains(&scope.as_str())) {
            Ok(key)
        } else {
            Err(Refused::Key)
        }
    }

    /// Records a publication, which `buildpass provenance` then lists. Rejects a package that the key does not cover.
    pub(crate) async fn publish(
        &self,
        (ecosystem, package, version): (&str, &str, &str),
        bytes: &[u8],
        key: &str,
    ) -> Result<(), Refused> {
        let body = json!({
            "ecosystem": ecosystem, "package": package, "version": version, "key": key,
            "digest": format!("sha256:{}", Sha256::of(bytes)),
        });
        let request = self.http.post(format!("{}/api/v1/publications", self.url)).json(&body);
        let answer = request.basic_auth(&self.id, Some(&self.secret)).send().await.map_err(unavailable)?;
        match answer.status().as_u16() {
            201 => Ok(()),
            403 => Err(Refused::Package),
            409 => Err(Refused::Exists),
            status => Err(Refused::Unavailable(format!("unexpected status {status}"))),
        }
    }
}

impl Key {
    /// Whether the key may cover this package. `publish` decides on patterns.
    pub(crate) fn may_be_for(&self, package: &str) -> bool {
        self.packages.iter().any(|glob| glob.contains('*') || glob.eq_ignore_ascii_case(package))
    }
}

fn unavailable(error: reqwest::Error) -> Refused {
    Refused::Unavailable(error.to_string())
}
