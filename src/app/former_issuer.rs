//! The issuer that stood at our URL before us: its key set, fetched. Follows no redirect, reads no endless body, and
//! never more than one document further than it was told.

use std::time::Duration;

use serde::Deserialize;

use crate::base::Seconds;
use crate::jose::JwkSet;
use crate::keyring::{AdoptionError, read_former_keys};

/// Larger than any key set.
const MOST_BYTES: usize = 1024 * 1024;

/// Where a former issuer's key set is.
#[derive(Debug)]
pub struct FormerIssuer {
    url: reqwest::Url,
    http: reqwest::Client,
}

/// A key set, and how long caches of it may last.
#[derive(Debug)]
pub struct FormerKeys {
    /// The keys that we can adopt.
    pub keys: JwkSet,
    /// What the answer's `Cache-Control` says.
    pub max_age: Option<Seconds>,
}

/// Why a former issuer's key set can't be had.
#[derive(Debug, thiserror::Error)]
pub enum FormerIssuerError {
    /// What came is of no use.
    #[error(transparent)]
    Adoption(#[from] AdoptionError),
    /// An answer that is no document.
    #[error("{url} answered {status}, not 200")]
    Status {
        /// Who answered.
        url: String,
        /// With what.
        status: u16,
    },
    /// An endless or very large document.
    #[error("{0} answered more than {MOST_BYTES} bytes")]
    TooLarge(String),
    /// No answer.
    #[error(transparent)]
    Unreachable(#[from] reqwest::Error),
    /// Not a URL.
    #[error("{0}: must be the http or https URL of a key set, or of a discovery document")]
    Url(String),
}

#[derive(Deserialize)]
struct Discovery {
    jwks_uri: String,
}

impl FormerIssuer {
    /// The URL of its key set, or of a discovery document that leads to it.
    ///
    /// # Errors
    /// [`FormerIssuerError::Url`].
    pub fn new(url: &str) -> Result<Self, FormerIssuerError> {
        let url = web_url(url)?;
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self { url, http })
    }

    /// Reads the key set.
    ///
    /// # Errors
    /// [`FormerIssuerError`].
    pub async fn read(&self) -> Result<FormerKeys, FormerIssuerError> {
        let (document, max_age) = self.fetch(self.url.clone()).await?;
        let (document, max_age) = match serde_json::from_slice::<Discovery>(&document) {
            Ok(discovery) => {
                let (keys, keys_age) = self.fetch(web_url(&discovery.jwks_uri)?).await?;
                (keys, keys_age.or(max_age))
            }
            Err(_) => (document, max_age),
        };
        Ok(FormerKeys { keys: read_former_keys(&document)?, max_age })
    }

    async fn fetch(&self, url: reqwest::Url) -> Result<(Vec<u8>, Option<Seconds>), FormerIssuerError> {
        let mut answer = self.http.get(url.clone()).send().await?;
        let status = answer.status().as_u16();
        if status != 200 {
            return Err(FormerIssuerError::Status { url: url.to_string(), status });
        }
        let header = answer.headers().get(reqwest::header::CACHE_CONTROL).and_then(|value| value.to_str().ok());
        let max_age = header.and_then(max_age);
        let mut document = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if document.len() + chunk.len() > MOST_BYTES {
                return Err(FormerIssuerError::TooLarge(url.to_string()));
            }
            document.extend_from_slice(&chunk);
        }
        Ok((document, max_age))
    }
}

fn web_url(text: &str) -> Result<reqwest::Url, FormerIssuerError> {
    let url = reqwest::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or_else(|| FormerIssuerError::Url(text.to_owned()))
}

/// `max-age` of RFC 9111 §5.2.2.1.
fn max_age(header: &str) -> Option<Seconds> {
    let directives = header.split(',').filter_map(|directive| directive.trim().split_once('='));
    let ages = directives.filter(|(name, _)| name.eq_ignore_ascii_case("max-age"));
    ages.filter_map(|(_, value)| value.trim().trim_matches('"').parse().ok()).map(Seconds::new).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_that_caches_heed_is_read_from_among_other_directives() {
        assert_eq!(max_age("public, max-age=3600, must-revalidate"), Some(Seconds::new(3_600)));
        assert_eq!(max_age("Max-Age=\"60\""), Some(Seconds::new(60)));
        assert_eq!(max_age("no-store"), None);
        assert_eq!(max_age("max-age=soon"), None);
    }

    #[test]
    fn only_web_addresses_are_read() {
        for url in ["file:///etc/passwd", "ftp://x/y", "jwks.json"] {
            assert!(FormerIssuer::new(url).is_err(), "{url}");
        }
    }
}
