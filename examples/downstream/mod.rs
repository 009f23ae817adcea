//! What a package server asks buildpass: is this key good and what for, and here is what it pushed.

use std::error::Error;

use buildpass::base::Sha256;
use serde_json::{Value, json};

/// Where buildpass answers, and who we are there: a client with `tokens:introspect` and `publications:write` that is
/// limited to our own audience.
pub(crate) struct Buildpass {
    url: String,
    id: String,
    secret: String,
    http: reqwest::Client,
}

/// What a good key is for (RFC 7662).
pub(crate) struct Key {
    flow: String,
    scopes: Vec<String>,
    packages: Vec<String>,
}

/// Why a push is not taken.
pub(crate) enum Refused {
    /// The key is none of ours, dead, or of another flow.
    Key,
    /// The key is good, and not for this.
    Package,
    /// The version is there already.
    Exists,
    /// Buildpass could not be asked.
    Unavailable(String),
}

impl Buildpass {
    /// Where it answers.
    #[allow(dead_code, reason = "one of the servers names it in its index")]
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// From `BUILDPASS_URL`, `BUILDPASS_CLIENT_ID` and `BUILDPASS_CLIENT_SECRET`.
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

    /// A key of this flow with one of these scopes, which must live now.
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

    /// Records what a key pushed; from here on `buildpass provenance` knows it. Refuses what the key is not for.
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
            status => Err(Refused::Unavailable(format!("it answered {status}"))),
        }
    }
}

impl Key {
    /// Whether the key may cover `package`. A glob is left to buildpass, which decides when the publication is recorded.
    pub(crate) fn may_be_for(&self, package: &str) -> bool {
        self.packages.iter().any(|glob| glob.contains('*') || glob.eq_ignore_ascii_case(package))
    }
}

fn unavailable(error: reqwest::Error) -> Refused {
    Refused::Unavailable(error.to_string())
}
