//! From an issuer to its key set (OpenID Connect Discovery 1.0 §4), and what makes both acceptable. Believes no
//! document that names another issuer, and no key at a stranger's host.

use serde_json::{Map, Value};
use url::Url;

use super::FetchError;
use super::fetch::Fetcher;
use super::network::shown;
use crate::jose::{KeySet, require_unique_members};

/// The most keys in a set.
const MAX_KEYS: usize = 100;

/// An issuer's discovery document.
#[derive(Debug, Clone, PartialEq)]
pub struct Discovery {
    /// Where its keys are; whether they may be fetched from there is another question.
    pub jwks_uri: Url,
    /// All that it says.
    pub members: Map<String, Value>,
}

impl Discovery {
    /// Reads what `url` served as the discovery document of the issuer that is written `issuer`.
    ///
    /// # Errors
    /// [`FetchError::Discovery`] for what is none, [`FetchError::Issuer`] for another issuer's (§4.3).
    pub fn read(url: &Url, issuer: &str, document: &[u8]) -> Result<Self, FetchError> {
        let refuse = |problem: &str| FetchError::Discovery { url: shown(url), problem: problem.to_owned() };
        require_unique_members(document).map_err(|_| refuse("not a JSON object without repeated members"))?;
        let members: Map<String, Value> =
            serde_json::from_slice(document).map_err(|_| refuse("not a JSON object without repeated members"))?;
        let text = |name: &str| {
            let value = members.get(name).and_then(Value::as_str);
            value.ok_or_else(|| refuse(&format!("{name} must be there, as a string")))
        };
        let actual = text("issuer")?;
        if actual != issuer {
            let (expected, actual) = (issuer.to_owned(), actual.to_owned());
            return Err(FetchError::Issuer { url: shown(url), expected, actual });
        }
        let jwks_uri = Url::parse(text("jwks_uri")?).map_err(|_| refuse("jwks_uri is not a URL"))?;
        Ok(Self { jwks_uri, members })
    }
}

/// Where an issuer's discovery document is (§4.1: the path is added to the issuer's).
fn discovery_url(issuer: &Url) -> Result<Url, FetchError> {
    let text = format!("{}/.well-known/openid-configuration", issuer.as_str().trim_end_matches('/'));
    Url::parse(&text).map_err(|_| FetchError::Url { url: shown(issuer), problem: "is no issuer" })
}

/// Fetches the discovery document of an issuer whose keys may be fetched from where it says.
pub(super) async fn discover(fetcher: &Fetcher, issuer: &str) -> Result<Discovery, FetchError> {
    let url = discovery_url(fetcher.issuer())?;
    let document = fetcher.fetch(&url).await?;
    let discovery = Discovery::read(&url, issuer, &document)?;
    fetcher.network().check_key_url(&discovery.jwks_uri, fetcher.issuer())?;
    Ok(discovery)
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
