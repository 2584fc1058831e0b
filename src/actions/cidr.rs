//! Networks in CIDR notation (RFC 4632, RFC 4291): which is the same as which, and which overlap.

use std::fmt;
use std::net::IpAddr;

/// A network in CIDR notation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Net {
    address: IpAddr,
    /// How many bits all its addresses have in common.
    pub prefix: u8,
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Net {
    /// The network that an address is in, by that prefix.
    pub fn new(address: IpAddr, prefix: u8) -> Self {
        Self { address, prefix }
    }

    /// The network of one address.
    pub fn of(address: IpAddr) -> Self {
        Self::new(address, if address.is_ipv4() { 32 } else { 128 })
    }

    /// `10.0.0.0/8` or `fd00::/8`; nothing else is one.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let net = Self { address: address.parse().ok()?, prefix: prefix.parse().ok()? };
        (net.prefix <= if net.address.is_ipv4() { 32 } else { 128 }).then_some(net)
    }

    /// Whether that address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.overlaps(&Self::of(address))
    }

    /// Whether some address is in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        let prefix = u32::from(self.prefix.min(other.prefix));
        match (self.address, other.address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => prefix == 0 || (a.to_bits() ^ b.to_bits()).leading_zeros() >= prefix,
            (IpAddr::V6(a), IpAddr::V6(b)) => prefix == 0 || (a.to_bits() ^ b.to_bits()).leading_zeros() >= prefix,
            _ => false,
        }
    }
}

/// Whether two networks in CIDR notation are the same: engines write some otherwise than they were asked for.
pub fn same_net(one: &str, other: &str) -> bool {
    let both = Net::parse(one).zip(Net::parse(other));
    one == other || both.is_some_and(|(one, other)| one.prefix == other.prefix && one.overlaps(&other))
}
