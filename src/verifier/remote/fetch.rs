//! Fetches one document over HTTP from an untrusted server, with limits of size, time and redirects. Never uses a proxy
//! from the environment, and never sends the bearer token to another origin than the issuer's.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, CACHE_CONTROL, CONTENT_ENCODING, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Identity, Response};
use url::Url;
use zeroize::Zeroizing;

#[cfg(feature = "server")]
use super::address::AllowedAddress;
use super::network::shown;
use super::resolve::GuardedResolver;
#[cfg(feature = "server")]
use super::resolve::SystemResolver;
use super::{FetchError, NetworkAccess, Resolver};
use crate::base::{Seconds, file_cause, secret_text};

/// Maximum time for fetching one document, including redirects.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum size of a fetched document, in bytes.
const MAX_BYTES: usize = 1_024 * 1_024;
/// Maximum number of redirects for one document. Each redirect must stay within the same origin.
const REDIRECTS: usize = 3;

/// HTTP client that fetches the documents of one issuer.
pub(crate) struct Fetcher {
    client: Client,
    network: NetworkAccess,
    issuer: Url,
}

/// A document that was fetched over HTTP.
pub(crate) struct Document {
    pub(crate) bytes: Vec<u8>,
    /// Duration for which caches may keep the document: `max-age` of the header `Cache-Control`.
    #[cfg_attr(not(feature = "server"), expect(dead_code, reason = "only the takeover of an issuer reads it"))]
    pub(crate) max_age: Option<Seconds>,
}

impl Fetcher {
    /// Creates a fetcher for a URL that an operator named. The fetcher may connect to private addresses of the URL's
    /// host, but to no other private addresses.
    #[cfg(feature = "server")]
    pub(crate) fn of_named_host(url: Url) -> Result<Self, FetchError> {
        let host = AllowedAddress::parse(url.host_str().unwrap_or_default());
        let allowed = vec![host.map_err(|_| FetchError::Url { url: shown(&url), problem: "has no usable host" })?];
        let network = NetworkAccess { allowed, ..NetworkAccess::default() };
        network.check_url(&url)?;
        Self::new(network, url, Arc::new(SystemResolver))
    }

    pub(super) fn new(network: NetworkAccess, issuer: Url, resolver: Arc<dyn Resolver>) -> Result<Self, FetchError> {
        let allowed = network.allowed.clone().into();
        let mut builder = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(TIMEOUT)
            .dns_resolver(Arc::new(GuardedResolver { inner: resolver, allowed }))
            // Each fetch resolves and connects again, so that a change of addresses takes effect at once.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("buildpass/", env!("CARGO_PKG_VERSION")));
        if let Some(file) = &network.server_ca_bundle {
            let pem = read(file)?;
            let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| file_error(file, &error))?;
            if certificates.is_empty() {
                return Err(FetchError::File {
                    file: file.display().to_string(),
                    reason: "holds no certificate".to_owned(),
                });
            }
            builder = builder.tls_certs_only(certificates);
        }
        if let Some((certificate, key)) = &network.client_identity {
            let mut pem = Zeroizing::new(read(certificate)?.to_vec());
            pem.push(b'\n');
            pem.extend_from_slice(&read(key)?);
            builder = builder.identity(Identity::from_pem(&pem).map_err(|error| file_error(key, &error))?);
        }
        let client = builder.build().map_err(|error| FetchError::Client(root_cause(&error)))?;
        Ok(Self { client, network, issuer })
    }

    pub(super) const fn issuer(&self) -> &Url {
        &self.issuer
    }

    pub(super) const fn network(&self) -> &NetworkAccess {
        &self.network
    }

    /// Fetches the bytes of a document. The document may have at most 1 MiB and take at most five seconds.
    pub(super) async fn fetch(&self, url: &Url) -> Result<Vec<u8>, FetchError> {
        Ok(self.fetch_document(url).await?.bytes)
    }

    /// Fetches a document, with the duration for which caches may keep the document. The limits are those of
    /// [`Self::fetch`].
    pub(crate) async fn fetch_document(&self, url: &Url) -> Result<Document, FetchError> {
        let fetched = tokio::time::timeout(TIMEOUT, self.follow(url)).await;
        fetched.unwrap_or_else(|_| Err(FetchError::Timeout { url: shown(url) }))
    }

    async fn follow(&self, url: &Url) -> Result<Document, FetchError> {
        let mut at = url.clone();
        for _ in 0..=REDIRECTS {
            self.network.check_url(&at)?;
            let response = self.request(&at).await?;
            if !response.status().is_redirection() {
                return body(&at, response).await;
            }
            at = redirect_target(&at, &response)?;
        }
        Err(FetchError::Redirect { url: shown(url), problem: "more than three times" })
    }

    async fn request(&self, url: &Url) -> Result<Response, FetchError> {
        let mut request = self.client.get(url.clone()).header(ACCEPT, "application/json, application/jwk-set+json");
        if let Some(file) = &self.network.bearer_token_file
            && url.origin() == self.issuer.origin()
        {
            let token = read(file)?;
            let text = std::str::from_utf8(&token).map_err(|_| FetchError::File {
                file: file.display().to_string(),
                reason: "is not a bearer token: must be UTF-8".to_owned(),
            })?;
            request = request.bearer_auth(secret_text(text));
        }
        request.send().await.map_err(|error| connection_error(url, &error))
    }
}

/// Returns the target of a redirect, which must have the same scheme, host and port as `from`.
fn redirect_target(from: &Url, response: &Response) -> Result<Url, FetchError> {
    let refuse = |problem| Err(FetchError::Redirect { url: shown(from), problem });
    let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let Some(to) = location.and_then(|location| from.join(location).ok()) else {
        return refuse("without a valid Location");
    };
    if to.origin() == from.origin() { Ok(to) } else { refuse("to another origin") }
}

async fn body(url: &Url, mut response: Response) -> Result<Document, FetchError> {
    if response.status().as_u16() != 200 {
        return Err(FetchError::Status { url: shown(url), status: response.status().as_u16() });
    }
    if response.headers().get_all(CONTENT_ENCODING).iter().any(|coding| coding != "identity") {
        return Err(FetchError::Encoding { url: shown(url) });
    }
    let max_age = response.headers().get(CACHE_CONTROL).and_then(|value| value.to_str().ok()).and_then(max_age);
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| connection_error(url, &error))? {
        if bytes.len() + chunk.len() > MAX_BYTES {
            return Err(FetchError::TooLarge { url: shown(url) });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Document { bytes, max_age })
}

/// Returns `max-age` of the header `Cache-Control` (RFC 9111 §5.2.2.1).
fn max_age(header: &str) -> Option<Seconds> {
    let directives = header.split(',').filter_map(|directive| directive.trim().split_once('='));
    let mut ages = directives.filter(|(name, _)| name.eq_ignore_ascii_case("max-age"));
    ages.find_map(|(_, value)| value.trim().trim_matches('"').parse().ok()).map(Seconds::new)
}

fn read(file: &std::path::Path) -> Result<Zeroizing<Vec<u8>>, FetchError> {
    std::fs::read(file)
        .map(Zeroizing::new)
        .map_err(|error| FetchError::File { file: file.display().to_string(), reason: file_cause(file, &error) })
}

fn file_error(file: &std::path::Path, error: &reqwest::Error) -> FetchError {
    FetchError::File { file: file.display().to_string(), reason: root_cause(error) }
}

fn connection_error(url: &Url, error: &reqwest::Error) -> FetchError {
    FetchError::Connection { url: shown(url), reason: root_cause(error) }
}

/// Returns the text of the innermost cause of an error. The texts of outer causes would repeat the URL.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn max_age_is_found_among_other_directives() {
        assert_eq!(max_age("public, max-age=3600, must-revalidate"), Some(Seconds::new(3_600)));
        assert_eq!(max_age("Max-Age=\"60\""), Some(Seconds::new(60)));
        assert_eq!(max_age("no-store"), None);
        assert_eq!(max_age("max-age=soon"), None);
    }
}
