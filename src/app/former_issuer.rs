//! Fetches the key set of a former issuer, that is of the server that had our issuer's URL before us. Connects to no
//! private address except the host that the operator named.

use serde::Deserialize;
use url::Url;

use crate::base::Seconds;
use crate::jose::JwkSet;
use crate::keyring::{AdoptionError, read_former_keys};
use crate::verifier::{Document, FetchError, Fetcher};

/// A former issuer: the server that had our issuer's URL before us. Its public keys are fetched, so that they can be
/// adopted.
pub struct FormerIssuer {
    url: Url,
    fetcher: Fetcher,
}

/// A former issuer's key set and how long caches may keep it.
#[derive(Debug)]
pub struct FormerKeys {
    /// Public keys that our key set can adopt, so that the former issuer's tokens stay valid.
    pub keys: JwkSet,
    /// `max-age` of the answer's `Cache-Control`.
    pub max_age: Option<Seconds>,
}

/// Error returned when a former issuer's key set cannot be fetched or adopted.
#[derive(Debug, thiserror::Error)]
pub enum FormerIssuerError {
    /// Our key set cannot adopt the public keys of the former issuer.
    #[error(transparent)]
    Adoption(#[from] AdoptionError),
    /// The key set or the discovery document cannot be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The text is not a URL.
    #[error("{0}: must be the https URL of a key set or of a discovery document")]
    Url(String),
}

#[derive(Deserialize)]
struct Discovery {
    jwks_uri: String,
}

impl FormerIssuer {
    /// Creates a former issuer from the URL of its key set or of its discovery document.
    ///
    /// # Errors
    /// [`FormerIssuerError::Url`] for text that is not a URL, [`FormerIssuerError::Fetch`] for a URL that must not be
    /// fetched, such as plain http to another machine.
    pub fn new(url: &str) -> Result<Self, FormerIssuerError> {
        let url = parse(url)?;
        let fetcher = Fetcher::of_named_host(url.clone())?;
        Ok(Self { url, fetcher })
    }

    /// Fetches the key set.
    ///
    /// # Errors
    /// [`FormerIssuerError`], which names the URL.
    pub async fn read(&self) -> Result<FormerKeys, FormerIssuerError> {
        let mut document = self.fetcher.fetch_document(&self.url).await?;
        if let Ok(discovery) = serde_json::from_slice::<Discovery>(&document.bytes) {
            let keys = self.fetcher.fetch_document(&parse(&discovery.jwks_uri)?).await?;
            document = Document { max_age: keys.max_age.or(document.max_age), ..keys };
        }
        Ok(FormerKeys { keys: read_former_keys(&document.bytes)?, max_age: document.max_age })
    }
}

fn parse(text: &str) -> Result<Url, FormerIssuerError> {
    Url::parse(text).map_err(|_| FormerIssuerError::Url(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_urls_and_plain_http_on_loopback_are_fetched() {
        for url in ["file:///etc/passwd", "ftp://x/y", "jwks.json", "http://ci.example.com/jwks", "https://u:p@x/y"] {
            assert!(FormerIssuer::new(url).is_err(), "{url}");
        }
        for url in ["https://ci.example.com/jwks", "https://10.0.0.7/jwks", "http://127.0.0.1:8080/jwks"] {
            assert!(FormerIssuer::new(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn cloud_metadata_is_never_fetched() {
        assert!(FormerIssuer::new("https://169.254.169.254/jwks").is_err());
    }
}
