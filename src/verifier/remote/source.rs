//! Fetches the key set of a provider from where the configuration says: a server, a file or the configuration itself.
//! Never caches a key set.

use std::path::PathBuf;
use std::sync::Arc;

use url::Url;

use super::discovery::{Discovery, discover, read_keys};
use super::fetch::Fetcher;
use super::network::shown;
use super::{FetchError, Resolver};
use crate::base::file_cause;
use crate::jose::KeySet;
use crate::verifier::{KeyOrigin, Provider};

/// Place that a provider's key set comes from: the configuration itself, a file, or a server. A server has an HTTP
/// client.
pub(super) enum Source {
    Document(String),
    File(PathBuf),
    Server { fetcher: Box<Fetcher>, issuer: String, keys: Option<Url> },
}

/// A fetched key set, parsed and as bytes, with the discovery document that led to the key set.
pub(super) struct FetchedKeys {
    /// URL or file from which the key set was fetched.
    pub(super) place: String,
    /// Discovery document that names the key set's URL, if the key set was found through discovery.
    pub(super) discovery: Option<Discovery>,
    /// The parsed key set, which has at least one usable key.
    pub(super) keys: KeySet,
    /// Bytes of the fetched key set.
    pub(super) document: Vec<u8>,
}

impl Source {
    /// Prepares fetching the key set of `provider`.
    ///
    /// # Errors
    /// [`FetchError`] if the connection cannot be set up.
    pub(super) fn of(provider: &Provider, resolver: Arc<dyn Resolver>) -> Result<Self, FetchError> {
        let keys = match provider.keys() {
            KeyOrigin::Own => return Err(FetchError::Client("the keys of our own issuer are not fetched".to_owned())),
            KeyOrigin::Inline(document) => return Ok(Self::Document(document.clone())),
            KeyOrigin::File(file) => return Ok(Self::File(file.clone())),
            KeyOrigin::Uri(url) => Some(url.clone()),
            KeyOrigin::Discovery => None,
        };
        let issuer = provider.issuer().to_owned();
        let url = Url::parse(&issuer).map_err(|_| FetchError::Url { url: issuer.clone(), problem: "is not a URL" })?;
        let fetcher = Box::new(Fetcher::new(provider.network.clone(), url, resolver)?);
        Ok(Self::Server { fetcher, issuer, keys })
    }

    /// Fetches the provider's key set.
    pub(super) async fn fetch(&self) -> Result<FetchedKeys, FetchError> {
        let (place, discovery, document) = match self {
            Self::Document(document) => ("jwks".to_owned(), None, document.clone().into_bytes()),
            Self::File(file) => {
                let place = file.display().to_string();
                let read = tokio::fs::read(file).await;
                let fault =
                    |error: std::io::Error| FetchError::File { file: place.clone(), reason: file_cause(file, &error) };
                (place.clone(), None, read.map_err(fault)?)
            }
            Self::Server { fetcher, keys: Some(url), .. } => (shown(url), None, fetcher.fetch(url).await?),
            Self::Server { fetcher, issuer, keys: None } => {
                let discovery = discover(fetcher, issuer).await?;
                let document = fetcher.fetch(&discovery.jwks_uri).await?;
                (shown(&discovery.jwks_uri), Some(discovery), document)
            }
        };
        let keys = read_keys(&place, &document)?;
        Ok(FetchedKeys { place, discovery, keys, document })
    }
}
