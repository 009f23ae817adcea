//! `[server]`: listeners, state folder and trusted proxies. The reader opens no socket and resolves no host name.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use super::declare::section;
use super::reader::{Reader, period};
use crate::base::{IssuerUrl, Seconds};

section! {
    /// The server's listeners, state folder and trusted proxies.
    pub struct Server in ("server") {
        /// Address and port of the public listener. Port 0 picks a free port.
        listen: SocketAddr = default r#""127.0.0.1:8080""#, read address;
        /// Address and port of the listener for metrics and the admin API. An empty string turns this listener off.
        admin_listen: Option<SocketAddr> = default r#""127.0.0.1:8081""#, read admin_address;
        /// Folder that relative paths in the configuration start from. A relative `state_dir` itself starts from the
        /// folder of the configuration file, or from the working directory if there is no file.
        state_dir: PathBuf = default r#"".""#, read folder;
        /// Maximum number of open connections on the public listener. The admin listener has 64 of its own. Must be at
        /// least 1.
        max_connections: usize = default "4096", read at_least_one;
        /// Memory that the bodies of all requests together may hold, in bytes. Bodies of requests without a verified
        /// credential may hold a quarter of this memory. Must be at least 1048576, which is 16 bodies of the maximum
        /// size.
        body_memory: usize = default "16777216", read body_memory;
        /// Maximum number of open connections of one address (of one /64 network with IPv6), while more than half of
        /// `max_connections` are open. Trusted proxies are exempt; instead, each address for which a proxy forwards
        /// requests may have this number of requests in flight. If absent: a quarter of `max_connections`.
        connections_per_address: Option<usize> = example "1024", read at_least_one;
        /// Time for which a connection without a request stays open. Should exceed the idle time-out of the load
        /// balancer in front, so that the balancer never sends a request on a connection that the server is closing.
        keep_alive: Seconds = default r#""75s""#, read period;
        /// Maximum time for a request's head (request line and headers) to arrive, from the first byte to the last.
        head_timeout: Seconds = default r#""10s""#, read period;
        /// Maximum time for a request's body to arrive.
        body_timeout: Seconds = default r#""10s""#, read period;
        /// Maximum time for which a client may take no byte of an answer.
        write_timeout: Seconds = default r#""10s""#, read period;
        /// Maximum time from the end of a request's head to the answer. The client has the same time to take the whole
        /// answer.
        request_timeout: Seconds = default r#""30s""#, read period;
        /// Age at which a connection ends. Its last answer says `Connection: close`.
        connection_max_age: Seconds = default r#""1h""#, read period;
        /// Maximum number of requests on one connection. The last answer says `Connection: close`.
        connection_max_requests: usize = default "100000", read at_least_one;
        /// Time for which the server still accepts connections after a signal to stop, while `/health/ready` answers
        /// 503. Should be at least the time that the load balancer in front needs to notice the 503. 0 suffices without
        /// a load balancer.
        drain_delay: Seconds = default r#""0s""#;
        /// Maximum time for requests in flight to be answered after the server has stopped accepting connections.
        drain_timeout: Seconds = default r#""15s""#;
        /// Base URL at which CI servers and builds reach the API, without a trailing slash. If absent: the origin of
        /// `issuer.url`.
        public_url: Option<IssuerUrl> = example r#""https://ci.example.com/buildpass""#, read IssuerUrl::parse;
        /// Addresses and networks of the reverse proxies in front of the server. The server accepts forwarding headers
        /// only from these proxies, and requests for forward authentication only from these proxies and from loopback.
        trusted_proxies: Vec<IpNet> = default "[]", each network;
    }
}

pub(super) fn read(reader: &mut Reader<'_>, base: &Path) -> Option<Server> {
    let mut server = Server::read_keys(reader)?;
    server.state_dir = base.join(server.state_dir);
    if server.admin_listen == Some(server.listen) && server.listen.port() != 0 {
        reader.refuse("server.admin_listen", "must differ from server.listen");
        return None;
    }
    Some(server)
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "must be an address and a port, such as 127.0.0.1:8080 or [::1]:8080")
}

fn admin_address(text: &str) -> Result<Option<SocketAddr>, &'static str> {
    if text.is_empty() { Ok(None) } else { address(text).map(Some) }
}

fn folder(text: &str) -> Result<PathBuf, &'static str> {
    if text.is_empty() {
        Err("must be a folder; \".\" is the folder of the configuration file")
    } else {
        Ok(text.into())
    }
}

/// Minimum of `server.body_memory`: 16 bodies of 64 KiB, so that the quarter for requests without a verified credential
/// has room for 4.
const LEAST_BODY_MEMORY: usize = 16 * 64 * 1024;

fn body_memory(bytes: usize) -> Result<usize, &'static str> {
    if bytes < LEAST_BODY_MEMORY { Err("must be at least 1048576 bytes (1 MiB)") } else { Ok(bytes) }
}

fn at_least_one(count: usize) -> Result<usize, &'static str> {
    if count == 0 { Err("must be at least 1") } else { Ok(count) }
}

/// Parses an address or a network. An address becomes a network of one address, and an IPv4-mapped address becomes the
/// IPv4 address that it holds.
fn network(text: String) -> Result<IpNet, String> {
    const FORM: &str = "must be an address or a network, such as 10.0.0.7, 10.0.0.0/8 or fd00::/8";
    let (address, length) =
        text.split_once('/').map_or((text.as_str(), None), |(address, length)| (address, Some(length)));
    let address = address.parse::<IpAddr>().map_err(|_| FORM)?.to_canonical();
    let Some(length) = length else { return Ok(IpNet::from(address)) };
    let network = IpNet::new(address, length.parse().map_err(|_| FORM)?).map_err(|_| FORM)?;
    if network.network() != address {
        return Err(format!("has bits set after its prefix; the network is {}", network.trunc()));
    }
    Ok(network)
}
