//! `[server]`: where and how the server listens. Opens nothing.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use super::reader::{Reader, each, number, text};
use crate::base::IssuerUrl;

/// Where and how the server listens.
#[derive(Debug, Clone)]
pub struct Server {
    /// The public door.
    pub listen: SocketAddr,
    /// Metrics and administration; `None` is off.
    pub admin_listen: Option<SocketAddr>,
    /// Where relative paths start.
    pub state_dir: PathBuf,
    /// How many connections may be open at once.
    pub max_connections: usize,
    /// Base URL of the API; `None`: the issuer's origin.
    pub public_url: Option<IssuerUrl>,
    /// Proxies whose forwarding headers are believed.
    pub trusted_proxies: Vec<IpNet>,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "must be an address and a port, such as 127.0.0.1:8080 or [::1]:8080".to_owned())
}

/// An address is a network of one. An IPv4-mapped address counts as the IPv4 address that it holds.
fn network(text: &str) -> Result<IpNet, String> {
    const FORM: &str = "must be an address or a network, such as 10.0.0.7, 10.0.0.0/8 or fd00::/8";
    let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
    let address = address.parse::<IpAddr>().map_err(|_| FORM)?.to_canonical();
    let Some(length) = length else { return Ok(IpNet::from(address)) };
    let network = IpNet::new(address, length.parse().map_err(|_| FORM)?).map_err(|_| FORM)?;
    if network.network() != address {
        return Err(format!("has bits set after its prefix; the network is {}", network.trunc()));
    }
    Ok(network)
}

pub(super) fn read(reader: &mut Reader<'_>, base: &Path) -> Option<Server> {
    let listen = reader.read("server.listen", |value| address(text(value)?));
    let admin_listen = reader.read("server.admin_listen", |value| match text(value)? {
        "" => Ok(None),
        text => address(text).map(Some),
    });
    let state_dir = reader.read("server.state_dir", |value| match text(value)? {
        "" => Err("must be a folder; \".\" is this file's own".to_owned()),
        text => Ok(base.join(text)),
    });
    let max_connections = reader.read("server.max_connections", |value| match number::<usize>(value)? {
        0 => Err("must be at least 1".to_owned()),
        count => Ok(count),
    });
    let public_url =
        reader.optional("server.public_url", |value| IssuerUrl::parse(text(value)?).map_err(str::to_owned));
    let trusted_proxies = reader.read("server.trusted_proxies", |value| each(value, network));
    if let (Some(listen), Some(Some(admin))) = (listen, admin_listen)
        && listen == admin
        && listen.port() != 0
    {
        reader.refuse("server.admin_listen", "must differ from server.listen");
        return None;
    }
    Some(Server {
        listen: listen?,
        admin_listen: admin_listen?,
        state_dir: state_dir?,
        max_connections: max_connections?,
        public_url: public_url?,
        trusted_proxies: trusted_proxies?,
    })
}
