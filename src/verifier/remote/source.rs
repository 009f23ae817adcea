//! Where a provider's key set is, and the way there. Keeps nothing of what it brings.

use std::path::PathBuf;
use std::sync::Arc;

use url::Url;

use super::discovery::{Discovery, discover, read_keys};
use super::fetch::Fetcher;
use super::network::shown;
use super::{FetchError, Resolver};
use crate::jose::KeySet;
use crate::verifier::{KeyOrigin, Provider};

/// The way to a provider's key set.
pub(super) enum Source {
    Document(String),
    File(PathBuf),
    Server { fetcher: Box<Fetcher>, issuer: String, keys: Option<Url> },
}

/// What it brought.
pub(super) struct Brought {
    /// Where the key set was.
    pub(super) place: String,
    /// The document that said so, where one did.
    pub(super) discovery: Option<Discovery>,
    /// The key set, in which at least one key can be used.
    pub(super) keys: KeySet,
    /// The same as it was served.
    pub(super) document: Vec<u8>,
}

impl Source {
    /// The way to this provider's key set.
    ///
    /// # Errors
    /// [`FetchError`] when a connection can't be prepared.
    pub(super) fn of(provider: &Provider, resolver: Arc<dyn Resolver>) -> Result<Self, FetchError> {
        let keys = match provider.keys() {
            KeyOrigin::Own => return Err(FetchError::Client("our own keys are not fetched".to_owned())),
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

    /// Brings the key set.
    pub(super) async fn bring(&self) -> Result<Brought, FetchError> {
        let (place, discovery, document) = match self {
            Self::Document(document) => ("jwks".to_owned(), None, document.clone().into_bytes()),
            Self::File(file) => {
                let place = file.display().to_string();
                let read = tokio::fs::read(file).await;
                let fault = |error: std::io::Error| FetchError::File { file: place.clone(), reason: error.to_string() };
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
        Ok(Brought { place, discovery, keys, document })
    }
}
