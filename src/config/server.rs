//! `[server]`: where and how the server listens. Opens nothing.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::network::Network;
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
    pub trusted_proxies: Vec<Network>,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "must be an address and a port, such as 127.0.0.1:8080 or [::1]:8080".to_owned())
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
    let trusted_proxies = reader
        .read("server.trusted_proxies", |value| each(value, |text| text.parse::<Network>().map_err(str::to_owned)));
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
