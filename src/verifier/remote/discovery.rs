//! From an issuer to its key set (OpenID Connect Discovery 1.0 §4), and what makes both acceptable. Believes no
//! document that names another issuer, and no key at a stranger's host.

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::FetchError;
use super::fetch::Fetcher;
use super::network::shown;
use crate::jose::KeySet;

/// The most keys in a set.
const MAX_KEYS: usize = 100;

/// What is read of a discovery document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Discovery {
    pub(super) jwks_uri: Url,
}

/// Where an issuer's discovery document is (§4.1: the path is added to the issuer's).
pub(super) fn discovery_url(issuer: &Url) -> Result<Url, FetchError> {
    let text = format!("{}/.well-known/openid-configuration", issuer.as_str().trim_end_matches('/'));
    Url::parse(&text).map_err(|_| FetchError::Url { url: shown(issuer), problem: "is no issuer" })
}

/// Reads a discovery document of the issuer that is written `issuer`.
pub(super) fn read_discovery(url: &Url, issuer: &str, document: &[u8]) -> Result<Discovery, FetchError> {
    #[derive(Deserialize)]
    struct Members {
        issuer: String,
        jwks_uri: String,
    }
    let refuse = |problem: &str| FetchError::Discovery { url: shown(url), problem: problem.to_owned() };
    crate::jose::require_unique_members(document).map_err(|_| refuse("not a JSON object without repeated members"))?;
    let members: Members =
        serde_json::from_slice(document).map_err(|_| refuse("issuer and jwks_uri must be there, as strings"))?;
    if members.issuer != issuer {
        let (expected, actual) = (issuer.to_owned(), members.issuer);
        return Err(FetchError::Issuer { url: shown(url), expected, actual });
    }
    let jwks_uri = Url::parse(&members.jwks_uri).map_err(|_| refuse("jwks_uri is not a URL"))?;
    Ok(Discovery { jwks_uri })
}

/// Fetches the discovery document and tells where the keys are.
pub(super) async fn discover(fetcher: &Fetcher, issuer: &str) -> Result<Url, FetchError> {
    let url = discovery_url(fetcher.issuer())?;
    let document = fetcher.fetch(&url).await?;
    let Discovery { jwks_uri } = read_discovery(&url, issuer, &document)?;
    fetcher.network().check_key_url(&jwks_uri, fetcher.issuer())?;
    Ok(jwks_uri)
}

/// Reads a key set that came from `place`.
pub(in crate::verifier) fn read_keys(place: &str, document: &[u8]) -> Result<KeySet, FetchError> {
    // Counted before any key is looked at: looking costs more than counting.
    let count = serde_json::from_slice::<Value>(document)
        .ok()
        .and_then(|document| document.get("keys").and_then(Value::as_array).map(Vec::len))
        .unwrap_or_default();
    if count > MAX_KEYS {
        return Err(FetchError::TooManyKeys { url: place.to_owned(), count });
    }
    let keys = KeySet::read(document).map_err(|error| FetchError::KeySet { url: place.to_owned(), error })?;
    if keys.is_empty() {
        let first = keys.unusable().first().map(|key| format!(": the first {}", key.reason)).unwrap_or_default();
        return Err(FetchError::NoUsableKey { url: place.to_owned(), first });
    }
    Ok(keys)
}
