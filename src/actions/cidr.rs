//! Networks in CIDR notation (RFC 4632, RFC 4291): how they are written, which is the same as which, and which overlap.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use schemars::JsonSchema;
use serde::Deserialize;

/// A network in CIDR notation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Net {
    address: IpAddr,
    /// How many bits all its addresses have in common.
    pub prefix: u8,
}

/// A network that is asked for, as it was written: `10.77.0.0/16`, `fd00:77::/64`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", inline)]
pub struct Cidr {
    /// As it was written.
    pub text: String,
    /// What that is.
    pub net: Net,
}

impl TryFrom<String> for Cidr {
    type Error = String;

    /// Newer engines refuse an address within a network where the network is meant, and older ones take it as it is.
    fn try_from(text: String) -> Result<Self, String> {
        match Net::parse(&text) {
            None => Err(format!("{text} is no network in CIDR notation; write 10.77.0.0/16 or fd00:77::/64")),
            Some(net) if net != net.whole() => {
                Err(format!("{text} is an address within a network; write {}", net.whole()))
            }
            Some(net) => Ok(Self { text, net }),
        }
    }
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

    /// Whether its addresses are those of IPv6.
    pub fn is_ipv6(&self) -> bool {
        self.address.is_ipv6()
    }

    /// The same, by its first address.
    fn whole(&self) -> Self {
        let prefix = u32::from(self.prefix);
        let address = match self.address {
            IpAddr::V4(own) => {
                let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
                Ipv4Addr::from_bits(own.to_bits() & mask).into()
            }
            IpAddr::V6(own) => {
                let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
                Ipv6Addr::from_bits(own.to_bits() & mask).into()
            }
        };
        Self { address, ..*self }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Net, String> {
        Cidr::try_from(text.to_owned()).map(|cidr| cidr.net)
    }

    #[test]
    fn what_is_no_network_is_told_with_what_to_write() {
        for text in ["0.0.0.0/0", "10.77.0.0/16", "10.77.0.1/32", "fd00:1:0:0::/64", "::/0", "fd00::1/128"] {
            assert!(read(text).is_ok(), "{text}");
        }
        for text in ["10.77.0.0", "10.77/16", "10.77.0.0/33", "fd00:2::/200", "/16", ""] {
            assert!(read(text).unwrap_err().contains("is no network in CIDR notation; write 10.77.0.0/16"), "{text}");
        }
        assert_eq!(
            read("10.77.1.5/20").unwrap_err(),
            "10.77.1.5/20 is an address within a network; write 10.77.0.0/20"
        );
        assert!(read("fd00:2::5/64").unwrap_err().ends_with("write fd00:2::/64"));
        assert!(read("10.0.0.1/0").unwrap_err().ends_with("write 0.0.0.0/0"));
    }
}
