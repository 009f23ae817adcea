//! The cloud of the demo's story: fetches discovery and keys over HTTP and checks a token by them alone. It shares no
//! state with the issuer.

use reqwest::Client;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::super::api::Api;
use super::super::failure::Failure;
use crate::base::{Clock as _, SystemClock};
use crate::jose::{self, JwkSet, VerificationKey};

/// What this cloud calls itself.
pub(super) const AUDIENCE: &str = "sts.amazonaws.com";

/// The keys of an issuer, and where they came from.
pub(super) struct Keys {
    pub(super) url: String,
    set: JwkSet,
}

impl Keys {
    pub(super) fn count(&self) -> usize {
        self.set.keys.len()
    }
}

/// Finds an issuer's keys by its URL (OpenID Connect Discovery 1.0 §4).
pub(super) async fn discover(issuer: &str) -> Result<Keys, Failure> {
    #[derive(Deserialize)]
    struct Discovery {
        issuer: String,
        jwks_uri: String,
    }
    let answer = fetch(&format!("{issuer}/.well-known/openid-configuration")).await?;
    let discovery: Discovery = serde_json::from_slice(&answer).map_err(Failure::refused)?;
    if discovery.issuer != issuer {
        return Err(Failure::refused("the discovery document names another issuer"));
    }
    let (set, unusable) = JwkSet::read(&fetch(&discovery.jwks_uri).await?).map_err(Failure::refused)?;
    if !unusable.is_empty() || set.keys.is_empty() {
        return Err(Failure::refused("the key set holds keys that can't be used, or none"));
    }
    Ok(Keys { url: discovery.jwks_uri, set })
}

async fn fetch(url: &str) -> Result<Vec<u8>, Failure> {
    let parsed = Url::parse(url).map_err(Failure::refused)?;
    Ok(Api::of(&parsed)?.call(|client: &Client| client.get(url)).await?.success()?.body)
}

#[derive(Deserialize)]
struct Checked {
    iss: String,
    aud: String,
    exp: i64,
    nbf: i64,
}

/// The claims of a token, if it is for this cloud, from this issuer, in time, and signed by one of the keys.
pub(super) fn verify(token: &str, keys: &Keys, issuer: &str) -> Result<Value, Failure> {
    check(token, keys, issuer).map_err(Failure::refused)
}

/// Why a token is not accepted; that it would be is a failure.
pub(super) fn refusal(token: &str, keys: &Keys, issuer: &str) -> Result<String, Failure> {
    match check(token, keys, issuer) {
        Err(reason) => Ok(format!("refused: {reason}")),
        Ok(_) => Err(Failure::refused("a token that is not right was accepted")),
    }
}

fn check(token: &str, keys: &Keys, issuer: &str) -> Result<Value, String> {
    let peeked = jose::peek(token).map_err(|error| error.to_string())?;
    let kid = peeked.unverified_kid();
    let jwk = keys.set.keys.iter().find(|key| Some(key.kid()) == kid).ok_or("no key of this issuer has its kid")?;
    let key = VerificationKey::from_jwk(jwk).map_err(|error| error.to_string())?;
    key.check(&peeked).map_err(|error| error.to_string())?;
    let claims: Checked = serde_json::from_slice(peeked.unverified_payload()).map_err(|error| error.to_string())?;
    let now = SystemClock::new().now().unix();
    if claims.iss != issuer {
        return Err("it is another issuer's".to_owned());
    }
    if claims.aud != AUDIENCE {
        return Err(format!("it is for {}, and this is {AUDIENCE}", claims.aud));
    }
    if now < claims.nbf || claims.exp <= now {
        return Err("it is not valid now".to_owned());
    }
    serde_json::from_slice(peeked.unverified_payload()).map_err(|error| error.to_string())
}

/// The same token with one letter of its signature changed.
pub(super) fn spoiled(token: &str) -> String {
    let at = token.rfind('.').map_or(0, |dot| dot + 10);
    let changed = |(place, letter)| match letter {
        'A' if place == at => 'B',
        _ if place == at => 'A',
        letter => letter,
    };
    token.chars().enumerate().map(changed).collect()
}
