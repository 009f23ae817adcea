//! Client with which a package server calls buildpass, to introspect API keys and to record publications.

use std::error::Error;

use buildpass::base::Sha256;
use serde_json::{Value, json};

/// Credentials and address for calls to buildpass. The client needs the scopes `tokens:introspect` and
/// `publications:write`, limited to the package server's audience.
pub(crate) struct Buildpass {
    url: String,
    id: String,
    secret: String,
    http: reqwest::Client,
}

/// What an active API key allows, from buildpass' introspection answer (RFC 7662).
pub(crate) struct Key {
    flow: String,
    scopes: Vec<String>,
    packages: Vec<String>,
}

/// Reason why the package server rejects a push.
pub(crate) enum Refused {
    /// The key is unknown, expired, revoked, of another flow, or without a scope that allows pushes.
    Key,
    /// The key is active, but does not cover the pushed package.
    Package,
    /// This version of the package is already published.
    Exists,
    /// Buildpass could not be reached or failed, for this reason.
    Unavailable(String),
}

impl Buildpass {
    /// Base URL of buildpass' API.
    #[allow(dead_code, reason = "one of the servers names it in its index")]
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Reads address and credentials from `BUILDPASS_URL`, `BUILDPASS_CLIENT_ID` and `BUILDPASS_CLIENT_SECRET`.
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

    /// Introspects a key at buildpass. The key must be active, issued by this flow, and have one of these scopes.
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

    /// Records a publication at buildpass, so that `buildpass provenance` lists the publication. Buildpass rejects a
    /// package that the key does not cover.
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
    /// Whether the key may cover this package. A key with a pattern always may: `publish` compares patterns.
    pub(crate) fn may_be_for(&self, package: &str) -> bool {
        self.packages.iter().any(|glob| glob.contains('*') || glob.eq_ignore_ascii_case(package))
    }
}

fn unavailable(error: reqwest::Error) -> Refused {
    Refused::Unavailable(error.to_string())
}
