//! Resolves names to addresses that may be connected to. The checked addresses are the ones that are connected to, so
//! that a second DNS answer cannot differ.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::{AllowedAddress, is_allowed};

/// Resolver of host names.
#[async_trait]
pub trait Resolver: Send + Sync + 'static {
    /// Returns the addresses of a name, in the order in which to try them.
    ///
    /// # Errors
    /// [`io::Error`] if the name cannot be resolved.
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// Resolver of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// Resolver that returns only allowed addresses, and fails if there are none.
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
