//! The network settings of a provider: allowed hosts and addresses, certificates. No code in this file reads the
//! configured files.

use std::net::IpAddr;
use std::path::PathBuf;

use url::{Host, Url};

use super::FetchError;
use super::address::{AllowedAddress, is_allowed};

/// The network settings for fetching a provider's documents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkAccess {
    /// Hosts in lower case, besides the issuer's host, that may serve the provider's key set.
    pub key_hosts: Vec<String>,
    /// Private addresses that may be connected to, and host names that may have private addresses.
    pub allowed: Vec<AllowedAddress>,
    /// File with the root certificates (PEM) for the provider's server, in place of the system's root certificates.
    pub server_ca_bundle: Option<PathBuf>,
    /// Two files for client authentication (PEM): first our client certificate with the chain, then the private key of
    /// the certificate.
    pub client_identity: Option<(PathBuf, PathBuf)>,
    /// File with a bearer token, which is read at each fetch and sent to the issuer's origin only.
    pub bearer_token_file: Option<PathBuf>,
}

impl NetworkAccess {
    /// Checks that `url` may be fetched. The addresses of a host name are checked later, when the name is resolved.
    ///
    /// # Errors
    /// [`FetchError::Url`] for a scheme other than https (plain http is accepted for an allowed loopback address), for
    /// a URL with a user name or password, and for an address that is not allowed.
    pub fn check_url(&self, url: &Url) -> Result<(), FetchError> {
        let refuse = |problem: &'static str| Err(FetchError::Url { url: shown(url), problem });
        let Some(host) = url.host() else { return refuse("has no host") };
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("must not contain a user name or password");
        }
        let address = match &host {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(IpAddr::V4(*address)),
            Host::Ipv6(address) => Some(IpAddr::V6(*address)),
        };
        let loopback = match &host {
            Host::Domain(name) => *name == "localhost",
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        };
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            _ => return refuse("must be https; plain http is for loopback addresses that allow_private names"),
        }
        let allowed = match address {
            Some(address) => is_allowed(&self.allowed, &address.to_string(), address),
            None if loopback => self.allowed.contains(&AllowedAddress::Name("localhost".to_owned())),
            None => true,
        };
        if allowed { Ok(()) } else { refuse("is at a private address that allow_private does not name") }
    }

    /// Checks that `url` may serve the key set of `issuer`.
    ///
    /// # Errors
    /// [`FetchError::Host`] if the URL's host is not allowed, and the errors of [`Self::check_url`].
    pub fn check_key_url(&self, url: &Url, issuer: &Url) -> Result<(), FetchError> {
        self.check_url(url)?;
        let host = url.host_str().unwrap_or_default();
        if url.host() == issuer.host() || self.key_hosts.iter().any(|known| known == host) {
            Ok(())
        } else {
            let expected = issuer.host_str().unwrap_or_default().to_owned();
            Err(FetchError::Host { expected, actual: host.to_owned() })
        }
    }
}

/// Returns the text of a URL for errors and logs, without user, password, query and fragment.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // The setters fail only for URLs that cannot have a user.
    let _none = url.set_username("").and_then(|()| url.set_password(None));
    url.into()
}
