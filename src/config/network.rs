//! An address or a network of addresses. Never resolves a name.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Addresses that share a prefix: `10.0.0.0/8`, `fd00::/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    length: u8,
}

/// The address as a number, and how many bits it has. An IPv4 address in IPv6's clothes is an IPv4 address.
fn bits(address: IpAddr) -> (u128, u8) {
    match address.to_canonical() {
        IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    }
}

/// What stands before the last `rest` bits.
fn prefix(number: u128, rest: u8) -> u128 {
    number.checked_shr(u32::from(rest)).unwrap_or(0)
}

impl Network {
    /// Is the address in it?
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let (own, width) = bits(self.address);
        let (other, other_width) = bits(address);
        let rest = width.saturating_sub(self.length);
        width == other_width && prefix(own, rest) == prefix(other, rest)
    }
}

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "must be an address or a network, such as 10.0.0.7, 10.0.0.0/8 or fd00::/8";
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length.parse::<u8>().map_err(|_| FORM)?)),
            None => (text, None),
        };
        let address = address.parse::<IpAddr>().map_err(|_| FORM)?.to_canonical();
        let (number, width) = bits(address);
        let length = length.unwrap_or(width);
        if length > width {
            return Err(FORM);
        }
        let rest = u32::from(width - length);
        if number.trailing_zeros() < rest.min(u32::from(width)) && number != 0 {
            return Err("has bits set after its prefix; write the network's first address");
        }
        Ok(Self { address, length })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}
