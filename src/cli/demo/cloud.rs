//! The cloud of the demo, which fetches the discovery document and the keys over HTTP and verifies tokens with these
//! keys alone. The cloud must share no state with the issuer.

use reqwest::Client;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::super::api::Api;
use super::super::failure::Failure;
use crate::base::{Clock as _, SystemClock};
use crate::jose::{self, JwkSet, VerificationKey};

/// Audience that the cloud requires.
pub(super) const AUDIENCE: &str = "sts.amazonaws.com";

/// The key set of an issuer, and the URL that the key set was fetched from.
pub(super) struct Keys {
    pub(super) url: String,
    set: JwkSet,
}

impl Keys {
    pub(super) fn count(&self) -> usize {
        self.set.keys.len()
    }
}

/// Fetches the keys of the issuer with the URL `issuer` (OpenID Connect Discovery 1.0 §4).
pub(super) async fn discover(issuer: &str) -> Result<Keys, Failure> {
    #[derive(Deserialize)]
    struct Discovery {
        issuer: String,
        jwks_uri: String,
    }
    let response = fetch(&format!("{issuer}/.well-known/openid-configuration")).await?;
    let discovery: Discovery = serde_json::from_slice(&response).map_err(Failure::refused)?;
    if discovery.issuer != issuer {
        return Err(Failure::refused("the discovery document names another issuer"));
    }
    let (set, unusable) = JwkSet::read(&fetch(&discovery.jwks_uri).await?).map_err(Failure::refused)?;
    if !unusable.is_empty() || set.keys.is_empty() {
        return Err(Failure::refused("the key set is empty or holds unusable keys"));
    }
    Ok(Keys { url: discovery.jwks_uri, set })
}

async fn fetch(url: &str) -> Result<Vec<u8>, Failure> {
    let parsed = Url::parse(url).map_err(Failure::refused)?;
    Ok(Api::of(&parsed)?.call(|client: &Client| client.get(url)).await?.success()?.body)
}

#[derive(Deserialize)]
struct CheckedClaims {
    iss: String,
    aud: String,
    exp: i64,
    nbf: i64,
}

/// Verifies signature, issuer, audience and times of a token, and returns the token's claims.
pub(super) fn verify(token: &str, keys: &Keys, issuer: &str) -> Result<Value, Failure> {
    check(token, keys, issuer).map_err(Failure::refused)
}

/// Returns the reason why the cloud rejects `token`, or a failure if the cloud accepts `token`.
pub(super) fn refusal(token: &str, keys: &Keys, issuer: &str) -> Result<String, Failure> {
    match check(token, keys, issuer) {
        Err(reason) => Ok(format!("rejected: {reason}")),
        Ok(_) => Err(Failure::refused("an invalid token was accepted")),
    }
}

fn check(token: &str, keys: &Keys, issuer: &str) -> Result<Value, String> {
    let peeked = jose::peek(token).map_err(|error| error.to_string())?;
    let kid = peeked.unverified_kid();
    let jwk = keys
        .set
        .keys
        .iter()
        .find(|key| Some(key.kid()) == kid)
        .ok_or("no key of this issuer has the kid of the token")?;
    let key = VerificationKey::from_jwk(jwk).map_err(|error| error.to_string())?;
    key.check(&peeked).map_err(|error| error.to_string())?;
    let claims: CheckedClaims =
        serde_json::from_slice(peeked.unverified_payload()).map_err(|error| error.to_string())?;
    let now = SystemClock::new().now().unix();
    if claims.iss != issuer {
        return Err("wrong issuer".to_owned());
    }
    if claims.aud != AUDIENCE {
        return Err(format!("wrong audience: {}, not {AUDIENCE}", claims.aud));
    }
    if now < claims.nbf || claims.exp <= now {
        return Err("not valid now".to_owned());
    }
    serde_json::from_slice(peeked.unverified_payload()).map_err(|error| error.to_string())
}

/// Returns `token` with one character of the signature changed.
pub(super) fn tampered(token: &str) -> String {
    let at = token.rfind('.').map_or(0, |dot| dot + 10);
    let changed = |(position, letter)| match letter {
        'A' if position == at => 'B',
        _ if position == at => 'A',
        letter => letter,
    };
    token.chars().enumerate().map(changed).collect()
}
