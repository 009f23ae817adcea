//! Who is at the other end: the socket's address, or what a trusted proxy says of it.

use std::net::IpAddr;

use axum::http::HeaderMap;

/// The address at the other end of the socket.
#[derive(Debug, Clone, Copy)]
pub(super) struct SocketAddress(pub(super) IpAddr);

/// The address that a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peer(pub(super) IpAddr);

/// The caller's address. `X-Forwarded-For` is believed only as far as each hop that added to it is trusted:
/// the last address that no trusted proxy vouches for is the caller.
pub(super) fn peer(socket: IpAddr, headers: &HeaderMap, is_trusted: impl Fn(IpAddr) -> bool) -> Peer {
    let mut caller = socket.to_canonical();
    if !is_trusted(caller) {
        return Peer(caller);
    }
    let named: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    for address in named.into_iter().rev() {
        let Ok(address) = address.parse::<IpAddr>() else { break };
        caller = address.to_canonical();
        if !is_trusted(caller) {
            break;
        }
    }
    Peer(caller)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(socket: &str, forwarded: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", forwarded.parse().unwrap());
        peer(socket.parse().unwrap(), &headers, |address| address.to_string().starts_with("10.")).0.to_string()
    }

    #[test]
    fn a_stranger_cannot_say_where_it_comes_from() {
        assert_eq!(caller("203.0.113.9", "192.0.2.1"), "203.0.113.9");
    }

    #[test]
    fn a_trusted_proxy_is_believed_up_to_the_first_stranger() {
        assert_eq!(caller("10.0.0.1", "192.0.2.7, 198.51.100.2, 10.0.0.2"), "198.51.100.2");
        assert_eq!(caller("10.0.0.1", "nonsense"), "10.0.0.1");
    }

    #[test]
    fn an_ipv4_peer_on_a_dual_stack_socket_is_the_same_peer() {
        assert_eq!(caller("::ffff:10.0.0.1", "192.0.2.7"), "192.0.2.7");
    }
}
