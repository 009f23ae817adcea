//! A verifier that caches a key set exactly as long as the header allows, even if it sees an unknown kid.

use std::collections::BTreeMap;
use std::time::Duration;

use buildpass::base::{Clock, SystemClock};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde_json::Value;

pub(crate) struct Verifier {
    http: reqwest::Client,
    held: Option<(SystemClock, Duration, JwkSet)>,
}

impl Verifier {
    pub(crate) fn new(http: &reqwest::Client) -> Self {
        Self { http: http.clone(), held: None }
    }

    /// Checks a token with what is held; only when that is too old it is fetched again, from the first that answers.
    pub(crate) async fn verify(&mut self, servers: &[String], token: &str) -> Result<(), String> {
        if self.held.as_ref().is_none_or(|(since, age, _)| since.monotonic() >= *age) {
            self.fetch(servers).await;
        }
        let (_, _, keys) = self.held.as_ref().ok_or("no key set")?;
        let header = decode_header(token).map_err(|error| error.to_string())?;
        let kid = header.kid.unwrap();
        let key = keys.find(&kid).ok_or_else(|| format!("{kid} is not in the key set"))?;
        let mut validation = Validation::new(header.alg);
        // This test does not check times: the caller sends unexpired tokens only.
        validation.validate_exp = false;
        validation.set_audience(&["live"]);
        decode::<BTreeMap<String, Value>>(token, &DecodingKey::from_jwk(key).unwrap(), &validation)
            .map(drop)
            .map_err(|error| format!("{kid}: {error}"))
    }

    async fn fetch(&mut self, servers: &[String]) {
        for server in servers {
            let asked = SystemClock::new();
            let Ok(answer) = self.http.get(format!("{server}/.well-known/jwks")).send().await else { continue };
            if answer.status() != 200 {
                continue;
            }
            let header = answer.headers()["cache-control"].to_str().unwrap().to_owned();
            let age = header.split("max-age=").nth(1).unwrap().parse().unwrap();
            if let Ok(keys) = answer.json().await {
                self.held = Some((asked, Duration::from_secs(age), keys));
                return;
            }
        }
    }
}
