//! Networks of addresses.

use std::net::IpAddr;
use std::str::FromStr;

/// A network: `192.0.2.0/24`, or one address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Net {
    ip: IpAddr,
    bits: u8,
}

impl Net {
    /// One address.
    #[must_use]
    pub fn one(ip: IpAddr) -> Net {
        Net { ip, bits: width(ip) }
    }

    /// Is the address of this network? An IPv4 address mapped into IPv6 is the IPv4 address.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        ip.is_ipv4() == self.ip.is_ipv4() && first(ip, self.bits) == self.ip
    }
}

fn width(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

/// The address with the bits behind the first `bits` 0.
fn first(ip: IpAddr, bits: u8) -> IpAddr {
    match ip {
        IpAddr::V4(v4) => (v4.to_bits() & u32::MAX.checked_shl(u32::from(32 - bits.min(32))).unwrap_or(0)).to_be_bytes().into(),
        IpAddr::V6(v6) => (v6.to_bits() & u128::MAX.checked_shl(u32::from(128 - bits.min(128))).unwrap_or(0)).to_be_bytes().into(),
    }
}

/// Is the address in one of the networks?
#[must_use]
pub fn within(nets: &[Net], ip: IpAddr) -> bool {
    nets.iter().any(|net| net.contains(ip))
}

/// Why a text is no network.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadNet {
    /// Before the slash.
    #[error("it is no IP address")]
    Address,
    /// After it.
    #[error("after the slash stands the length of the network, 0 to 32, for IPv6 to 128")]
    Length,
    /// Below it.
    #[error("the address has bits beyond the length of the network; its first address is {0}")]
    Beyond(IpAddr),
}

impl FromStr for Net {
    type Err = BadNet;

    fn from_str(text: &str) -> Result<Net, BadNet> {
        let (ip, bits) = text.split_once('/').map_or((text, None), |(ip, bits)| (ip, Some(bits)));
        let ip: IpAddr = ip.trim().parse().map_err(|_| BadNet::Address)?;
        let Some(bits) = bits else { return Ok(Net::one(ip.to_canonical())) };
        let bits: u8 = bits.trim().parse().ok().filter(|bits| *bits <= width(ip)).ok_or(BadNet::Length)?;
        let first = first(ip, bits);
        if first != ip {
            return Err(BadNet::Beyond(first));
        }
        Ok(Net { ip, bits })
    }
}

impl std::fmt::Display for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.bits == width(self.ip) { write!(f, "{}", self.ip) } else { write!(f, "{}/{}", self.ip, self.bits) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses_and_no_others() {
        let net = |text: &str| text.parse::<Net>().unwrap();
        for (text, inside, outside) in [
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("0.0.0.0/0", "203.0.113.1", "::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("10.0.0.0/8", "::ffff:10.1.1.1", "11.0.0.0"),
        ] {
            assert!(net(text).contains(inside.parse().unwrap()), "{text} {inside}");
            assert!(!net(text).contains(outside.parse().unwrap()), "{text} {outside}");
            assert_eq!(net(text).to_string(), text);
        }
        for (bad, why) in [
            ("10.0.0", BadNet::Address),
            ("10.0.0.0/33", BadNet::Length),
            ("10.0.0.1/24", BadNet::Beyond("10.0.0.0".parse().unwrap())),
            ("::1/0", BadNet::Beyond("::".parse().unwrap())),
        ] {
            assert_eq!(bad.parse::<Net>(), Err(why), "{bad}");
        }
    }

    #[test]
    fn a_network_holds_what_begins_like_it() {
        let network = |text: &str| text.parse::<Net>();
        let holds = |text: &str, address: &str| network(text).unwrap().contains(address.parse().unwrap());
        assert!(holds("10.0.0.0/8", "10.255.1.2") && !holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("0.0.0.0/0", "203.0.113.9") && !holds("0.0.0.0/0", "2001:db8::1"));
        assert!(holds("::/0", "2001:db8::1") && holds("2001:db8::/32", "2001:db8:ff::1"));
        assert!(holds("192.0.2.1", "::ffff:192.0.2.1") && !holds("192.0.2.1", "192.0.2.2"));
        assert_eq!(network("10.0.0.1/8"), Err(BadNet::Beyond("10.0.0.0".parse().unwrap())));
        assert_eq!(network("10.0.0.0/33"), Err(BadNet::Length));
        assert_eq!(network("ten"), Err(BadNet::Address));
    }
}
