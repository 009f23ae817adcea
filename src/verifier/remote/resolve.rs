//! Names to addresses, and of those only the ones that may be dialled: what was checked is what is dialled.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::{AllowedAddress, may_dial};

/// Finds the addresses of a name.
#[async_trait]
pub trait Resolver: Send + Sync + 'static {
    /// The addresses, in the order in which they are to be tried.
    ///
    /// # Errors
    /// Where the name has none.
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// A resolver that answers with addresses that may be dialled, or not at all.
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
            let dialled: Vec<SocketAddr> = found
                .iter()
                .filter(|address| may_dial(&allowed, &name, **address))
                .map(|address| SocketAddr::new(*address, 0))
                .collect();
            if dialled.is_empty() {
                return Err(
                    format!("{name} has no address that may be dialled; allow_private opens private ones").into()
                );
            }
            Ok(Box::new(dialled.into_iter()) as Addrs)
        })
    }
}
