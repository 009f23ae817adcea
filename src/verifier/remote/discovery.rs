//! Finds the key set of an issuer (OpenID Connect Discovery 1.0 §4). Rejects a discovery document that names another
//! issuer, and a key set on a host that is neither the issuer's nor configured.

use serde_json::{Map, Value};
use url::Url;

use super::FetchError;
use super::fetch::Fetcher;
use super::network::shown;
use crate::jose::{KeySet, require_unique_members};

/// Maximum number of keys in a provider's key set.
const MAX_KEYS: usize = 100;

/// Discovery document of an issuer.
#[derive(Debug, Clone, PartialEq)]
pub struct Discovery {
    /// URL of the issuer's key set. The host of the URL is not checked yet.
    pub jwks_uri: Url,
    /// All members of the discovery document.
    pub members: Map<String, Value>,
}

impl Discovery {
    /// Parses the discovery document of `issuer` that was fetched from `url`.
    ///
    /// # Errors
    /// [`FetchError::Discovery`] if the document is malformed, [`FetchError::Issuer`] if it names another issuer
    /// (OpenID Connect Discovery 1.0 §4.3).
    pub fn read(url: &Url, issuer: &str, document: &[u8]) -> Result<Self, FetchError> {
        let refuse = |problem: &str| FetchError::Discovery { url: shown(url), problem: problem.to_owned() };
        require_unique_members(document).map_err(|_| refuse("must be a JSON object without repeated members"))?;
        let members: Map<String, Value> =
            serde_json::from_slice(document).map_err(|_| refuse("must be a JSON object without repeated members"))?;
        let text = |name: &str| {
            let value = members.get(name).and_then(Value::as_str);
            value.ok_or_else(|| refuse(&format!("{name} must be a string")))
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

/// Returns the URL of an issuer's discovery document: the issuer's URL, followed by the well-known path (OpenID Connect
/// Discovery 1.0 §4.1).
fn discovery_url(issuer: &Url) -> Result<Url, FetchError> {
    let text = format!("{}/.well-known/openid-configuration", issuer.as_str().trim_end_matches('/'));
    Url::parse(&text).map_err(|_| FetchError::Url { url: shown(issuer), problem: "is not an issuer URL" })
}

/// Fetches the discovery document of an issuer, and checks that the document's `jwks_uri` may be fetched.
pub(super) async fn discover(fetcher: &Fetcher, issuer: &str) -> Result<Discovery, FetchError> {
    let url = discovery_url(fetcher.issuer())?;
    let document = fetcher.fetch(&url).await?;
    let discovery = Discovery::read(&url, issuer, &document)?;
    fetcher.network().check_key_url(&discovery.jwks_uri, fetcher.issuer())?;
    Ok(discovery)
}

/// Parses a provider's key set. `place` is the URL or file of the key set, for error texts.
pub(in crate::verifier) fn read_keys(place: &str, document: &[u8]) -> Result<KeySet, FetchError> {
    // Counted before any key is parsed, because parsing costs more than counting.
    let count = serde_json::from_slice::<Value>(document)
        .ok()
        .and_then(|document| document.get("keys").and_then(Value::as_array).map(Vec::len))
        .unwrap_or_default();
    if count > MAX_KEYS {
        return Err(FetchError::TooManyKeys { url: place.to_owned(), count });
    }
    let keys = KeySet::read(document).map_err(|error| FetchError::KeySet { url: place.to_owned(), error })?;
    if keys.is_empty() {
        let first = keys.unusable().first().map(|key| format!("; the first key: {}", key.reason)).unwrap_or_default();
        return Err(FetchError::NoUsableKey { url: place.to_owned(), first });
    }
    Ok(keys)
}
