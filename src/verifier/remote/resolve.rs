//! Resolves host names to addresses that may be connected to. The connection uses the addresses that were checked, and
//! never resolves a name again, because a second DNS answer could name an address that was not checked.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::{AllowedAddress, is_allowed};

/// A resolver of host names: the system's in production, another in tests.
#[async_trait]
pub trait Resolver: Send + Sync + 'static {
    /// Returns the addresses of a host name, in the order in which connections are tried.
    ///
    /// # Errors
    /// [`io::Error`] if the host name cannot be resolved.
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The operating system's resolver of host names.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// Resolver that returns only the allowed addresses of a host name, and fails if no address is allowed.
pub(super) struct GuardedResolver {
    pub(super) inner: Arc<dyn Resolver>,
    pub(super) allowed: Arc<[AllowedAddress]>,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (inner, allowed) = (Arc::clone(&self.inner), Arc::clone(&self.allowed));
        Box::pin(async move {
            let name = name.as_str().trim_end_matches('.').to_ascii_lowercase();
            let found = inner.addresses(&name).await?;
            let allowed_addresses: Vec<SocketAddr> = found
                .iter()
                .filter(|address| is_allowed(&allowed, &name, **address))
                .map(|address| SocketAddr::new(*address, 0))
                .collect();
            if allowed_addresses.is_empty() {
                return Err(format!("{name} has no public address; allow_private can allow a private one").into());
            }
            Ok(Box::new(allowed_addresses.into_iter()) as Addrs)
        })
    }
}
