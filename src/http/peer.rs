//! The address of a caller: the socket's address, or the address that trusted proxies name in `X-Forwarded-For`. An
//! address that only an untrusted caller names must never be used.

use std::net::{IpAddr, SocketAddr};

use axum::http::{Extensions, HeaderMap};

/// Address of the peer that opened the connection: a caller or a proxy.
#[derive(Debug, Clone, Copy)]
pub(super) struct SocketAddress(pub(super) IpAddr);

impl SocketAddress {
    /// Returns the address that the accept loop attached to the request. Without an attached address, returns 0.0.0.0,
    /// which nobody trusts as a proxy.
    pub(super) fn of(extensions: &Extensions) -> IpAddr {
        extensions.get::<Self>().map_or(IpAddr::from([0; 4]), |address| address.0)
    }
}

/// Address of the caller who sent the request, for the audit row and the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peer(pub(super) IpAddr);

/// Returns the caller's address: the last hop in `X-Forwarded-For` that is not a trusted proxy.
///
/// Each proxy appends the address that called the proxy, so the header's entries are read from the right. An entry that
/// is not an address ends the reading: the caller may have written everything to the left of this entry.
pub(super) fn peer(socket: IpAddr, headers: &HeaderMap, is_trusted: impl Fn(IpAddr) -> bool) -> Peer {
    let mut caller = socket.to_canonical();
    if !is_trusted(caller) {
        return Peer(caller);
    }
    let lines: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
    let hops = lines.into_iter().rev().flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    for hop in hops {
        let Some(address) = hop_address(hop) else { break };
        caller = address.to_canonical();
        if !is_trusted(caller) {
            break;
        }
    }
    Peer(caller)
}

/// Parses one entry of `X-Forwarded-For`. Some load balancers append the port: `203.0.113.7:4711`, `[2001:db8::1]:443`.
fn hop_address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn caller_of(socket: &str, lines: &[&[u8]]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", HeaderValue::from_bytes(line).unwrap());
        }
        peer(socket.parse().unwrap(), &headers, |address| address.to_string().starts_with("10.")).0.to_string()
    }

    fn caller(socket: &str, forwarded: &str) -> String {
        caller_of(socket, &[forwarded.as_bytes()])
    }

    #[test]
    fn a_caller_that_is_no_trusted_proxy_cannot_name_another_address() {
        assert_eq!(caller("203.0.113.9", "192.0.2.1"), "203.0.113.9");
    }

    #[test]
    fn hops_are_read_from_the_right_up_to_the_first_that_is_not_trusted() {
        assert_eq!(caller("10.0.0.1", "192.0.2.7, 198.51.100.2, 10.0.0.2"), "198.51.100.2");
        assert_eq!(caller("10.0.0.1", "10.0.0.3,10.0.0.2"), "10.0.0.3");
        assert_eq!(caller("10.0.0.1", ""), "10.0.0.1");
    }

    #[test]
    fn an_entry_that_is_no_address_ends_the_reading() {
        assert_eq!(caller("10.0.0.1", "nonsense"), "10.0.0.1");
        assert_eq!(caller("10.0.0.1", "192.0.2.7, unknown, 10.0.0.2"), "10.0.0.2");
        assert_eq!(caller("10.0.0.1", "192.0.2.7, "), "10.0.0.1");
    }

    #[test]
    fn several_header_lines_are_one_list() {
        assert_eq!(caller_of("10.0.0.1", &[b"192.0.2.7", b"198.51.100.2, 10.0.0.2"]), "198.51.100.2");
        assert_eq!(caller_of("10.0.0.1", &[b"192.0.2.7", b"10.0.0.2"]), "192.0.2.7");
    }

    #[test]
    fn bytes_that_are_no_text_do_not_hide_the_hop_that_a_proxy_appended() {
        assert_eq!(caller_of("10.0.0.1", &[b"192.0.2.7", b"\xff, 198.51.100.2"]), "198.51.100.2");
        assert_eq!(caller_of("10.0.0.1", &[b"192.0.2.7", b"\xff"]), "10.0.0.1");
    }

    #[test]
    fn a_hop_may_have_a_port_and_be_of_ipv6() {
        assert_eq!(caller("10.0.0.1", "192.0.2.7, 203.0.113.7:4711"), "203.0.113.7");
        assert_eq!(caller("10.0.0.1", "[2001:db8::1]:443, 10.0.0.2:80"), "2001:db8::1");
        assert_eq!(caller("10.0.0.1", "[2001:db8::1]"), "2001:db8::1");
        assert_eq!(caller("10.0.0.1", "2001:db8::1"), "2001:db8::1");
    }

    #[test]
    fn an_ipv4_address_mapped_into_ipv6_is_the_ipv4_address() {
        assert_eq!(caller("::ffff:10.0.0.1", "192.0.2.7"), "192.0.2.7");
        assert_eq!(caller("10.0.0.1", "192.0.2.7, ::ffff:10.0.0.2"), "192.0.2.7");
    }
}
