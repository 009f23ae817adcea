//! Decides which addresses may be connected to for fetching a key set: public addresses, and addresses that the
//! operator allows. No configuration can allow an address of a cloud's metadata service.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses of clouds' metadata services, which give a machine's credentials to programs on the machine. No
/// configuration can allow these addresses.
const METADATA: [IpAddr; 7] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// Private address, or host name with private addresses, to which an operator allows connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedAddress {
    /// A single IP address that may be connected to.
    Address(IpAddr),
    /// A host name, in lower case, that may have private addresses.
    Name(String),
}

impl AllowedAddress {
    /// Parses an IP address or host name to which an operator allows connections.
    ///
    /// # Errors
    /// A text that says what is wrong with the address or host name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse() {
            if is_metadata(address) {
                return Err(format!("{text} is an address of cloud metadata, which is never allowed"));
            }
            return Ok(Self::Address(address));
        }
        match url::Host::parse(text) {
            Ok(url::Host::Domain(name)) => Ok(Self::Name(name)),
            _ => Err(format!("{text:?} must be an IP address or a host name")),
        }
    }
}

/// Whether a connection to `address` is allowed for the host `name`. If the URL contains an address instead of a name,
/// `name` is that address.
pub(super) fn is_allowed(allowed: &[AllowedAddress], name: &str, address: IpAddr) -> bool {
    if is_metadata(address) {
        return false;
    }
    // Plain http is accepted for localhost, so localhost must be a loopback address.
    if name == "localhost" && !address.is_loopback() {
        return false;
    }
    is_public(address)
        || allowed.iter().any(|allowed| match allowed {
            AllowedAddress::Address(allowed) => *allowed == address,
            AllowedAddress::Name(allowed) => allowed == name,
        })
}

/// Whether the address, or the IPv4 address embedded in it, is that of a cloud's metadata service.
fn is_metadata(address: IpAddr) -> bool {
    METADATA.contains(&address) || embedded(address).is_some_and(|inner| METADATA.contains(&IpAddr::V4(inner)))
}

/// Returns the IPv4 address that an IPv6 address embeds: mapped (RFC 4291 §2.5.5.2), compatible, NAT64 (RFC 6052) or
/// 6to4 (RFC 3056).
fn embedded(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = address else { return None };
    let octets = address.octets();
    let at = |from: usize| {
        let bytes: [u8; 4] = octets.get(from..from + 4)?.try_into().ok()?;
        Some(Ipv4Addr::from(bytes))
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, _, _] | [0x64, 0xff9b, ..] => at(12),
        [0x2002, ..] => at(2),
        _ => None,
    }
}

/// Whether the address is public. IPv6 addresses that embed an IPv4 address do not count as public: public hosts do not
/// have such addresses, and an operator can allow the host by name.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => {
            let [first, second, ..] = address.segments();
            // Global unicast (RFC 4291 §2.4) without documentation, benchmarks, Teredo and 6to4.
            (0x2000..0x4000).contains(&first)
                && first != 0x2002
                && !(first == 0x2001 && (second < 0x200 || second == 0xdb8))
                && !(first == 0x3fff && second < 0x1000)
        }
    }
}

/// Whether the IPv4 address is public according to RFC 6890 and the IANA registry of special addresses.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(allowed: &[&str], name: &str, address: &str) -> bool {
        let allowed: Vec<_> = allowed.iter().map(|text| AllowedAddress::parse(text).unwrap()).collect();
        is_allowed(&allowed, name, address.parse().unwrap())
    }

    #[test]
    fn public_addresses_are_allowed_and_no_others() {
        for address in ["140.82.112.3", "1.1.1.1", "2606:4700::1111", "2a00:1450:4001::1"] {
            assert!(allows(&[], "host", address), "{address}");
        }
        for address in [
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.1.1",
            "100.64.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "192.0.0.8",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "::1",
            "::",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd12:3456::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
            "::ffff:127.0.0.1",
            "::ffff:1.1.1.1",
            "::127.0.0.1",
            "64:ff9b::1.1.1.1",
            "64:ff9b::a00:1",
            "3fff::1",
        ] {
            assert!(!allows(&[], "host", address), "{address}");
        }
    }

    #[test]
    fn a_private_address_is_allowed_if_it_or_its_name_is_configured() {
        assert!(allows(&["10.0.0.7"], "keys.internal", "10.0.0.7"));
        assert!(!allows(&["10.0.0.7"], "keys.internal", "10.0.0.8"));
        assert!(allows(&["keys.internal"], "keys.internal", "10.0.0.8"));
        assert!(!allows(&["keys.internal"], "evil.example", "10.0.0.8"));
        assert!(allows(&["[::1]"], "::1", "::1"));
    }

    #[test]
    fn metadata_is_never_allowed_in_any_spelling_or_by_name() {
        assert!(AllowedAddress::parse("169.254.169.254").is_err());
        for address in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "2002:a9fe:a9fe::",
            "fd00:ec2::254",
            "100.100.100.200",
            "168.63.129.16",
            "169.254.170.2",
        ] {
            assert!(!allows(&["metadata.example"], "metadata.example", address), "{address}");
        }
    }

    #[test]
    fn localhost_must_resolve_to_loopback() {
        assert!(allows(&["localhost"], "localhost", "127.0.0.1"));
        assert!(!allows(&["localhost"], "localhost", "10.0.0.1"));
        assert!(!allows(&["localhost"], "localhost", "1.1.1.1"));
    }
}
