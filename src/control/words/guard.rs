//! Who is heard at the SIP sockets: sources, networks, bans, and what the operator sets about them.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

use super::net::{Net, within};
use crate::control::time::Time;

/// The part of an IPv6 address that one house has to itself, a /64; what follows it changes at will.
const HOUSE: u128 = u128::MAX << 64;

/// Whoever is counted as one: an IPv4 address, or the /64 of an IPv6 one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Source(IpAddr);

impl Source {
    /// The source that an address belongs to.
    #[must_use]
    pub fn of(address: IpAddr) -> Source {
        match address.to_canonical() {
            IpAddr::V4(v4) => Source(v4.into()),
            IpAddr::V6(v6) => Source(Ipv6Addr::from_bits(v6.to_bits() & HOUSE).into()),
        }
    }

    /// Its first address.
    #[must_use]
    pub fn address(self) -> IpAddr {
        self.0
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// By any of its addresses.
impl FromStr for Source {
    type Err = std::net::AddrParseError;

    fn from_str(text: &str) -> Result<Source, Self::Err> {
        text.parse().map(Source::of)
    }
}

/// Is anybody watched at all?
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Watching {
    /// Yes.
    #[default]
    On,
    /// Only `deny` counts.
    Off,
}

/// What the operator sets about who is heard; `[guard]` of hotline.toml.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Defence {
    /// Are rates and bans in force?
    pub watching: Watching,
    /// Never limited and never banned; stronger than `deny`.
    pub allow: Vec<Net>,
    /// Never heard.
    pub deny: Vec<Net>,
    /// Networks in which nobody can write another's address: there a datagram comes from whom it says.
    pub trusted: Vec<Net>,
    /// Requests outside of calls that a source may send a second, on the long run.
    pub rate: u32,
    /// So many of them at once.
    pub burst: u32,
    /// How long the first ban lasts; each further one twice as long as the one before, up to a day.
    pub ban: Duration,
}

impl Default for Defence {
    fn default() -> Defence {
        Defence {
            watching: Watching::On,
            allow: Vec::new(),
            deny: Vec::new(),
            trusted: this_machine(),
            rate: 50,
            burst: 500,
            ban: Duration::from_mins(10),
        }
    }
}

/// Loopback: the kernel lets nobody outside write it.
fn this_machine() -> Vec<Net> {
    ["127.0.0.0/8", "::1"].into_iter().filter_map(|net| net.parse().ok()).collect()
}

/// What a source did that a good one does not do often.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Offence {
    /// It calls itself by the name of a scanner.
    Scanner,
    /// A wrong password, or one of a user we do not have.
    WrongProof,
    /// It asked to be a user we do not have.
    UnknownUser,
    /// It called a number that nobody answers.
    UnknownNumber,
    /// It sent more than it may.
    Flood,
}

impl Offence {
    /// All of them.
    pub const ALL: [Offence; 5] = [Offence::Scanner, Offence::WrongProof, Offence::UnknownUser, Offence::UnknownNumber, Offence::Flood];

    /// Its name in the API, in facts and metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Offence::Scanner => "scanner",
            Offence::WrongProof => "wrong_proof",
            Offence::UnknownUser => "unknown_user",
            Offence::UnknownNumber => "unknown_number",
            Offence::Flood => "flood",
        }
    }
}

/// A source that is not heard for a while.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ban {
    /// Whom.
    pub source: Source,
    /// What it did last.
    pub why: Offence,
    /// When it began.
    pub since: Time,
    /// When it ends by itself.
    pub until: Time,
    /// The how-manieth it is, from 1.
    pub strikes: u32,
    /// Requests of it that the rules let go unanswered; what the sockets drop before is counted there.
    pub unheard: u64,
}

/// What the sockets drop before they read it; a snapshot, replaced whole.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fence {
    /// Banned sources none of whose phones or calls is known.
    pub banned: BTreeSet<Source>,
    /// Never dropped.
    pub allow: Vec<Net>,
    /// Always dropped.
    pub deny: Vec<Net>,
}

impl Fence {
    /// Is what comes from there dropped unread?
    #[must_use]
    pub fn shuts_out(&self, address: IpAddr) -> bool {
        if self.banned.is_empty() && self.deny.is_empty() || within(&self.allow, address) {
            return false;
        }
        within(&self.deny, address) || self.banned.contains(&Source::of(address))
    }
}

/// What the guard did since the start.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GuardCounts {
    /// Sources banned now.
    pub banned: usize,
    /// Bans begun, in the order of [`Offence::ALL`].
    pub bans: [u64; 5],
    /// Offences seen, in the order of [`Offence::ALL`].
    pub offences: [u64; 5],
    /// Requests above a source's rate, answered 503.
    pub limited: u64,
    /// Requests of banned and denied sources that the rules dropped.
    pub unheard: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        text.parse().unwrap()
    }

    #[test]
    fn an_ipv6_house_is_one_source_and_a_mapped_address_is_its_ipv4_one() {
        assert_eq!(source("2001:db8:1:2:3:4:5:6"), source("2001:db8:1:2::9"));
        assert_ne!(source("2001:db8:1:2::9"), source("2001:db8:1:3::9"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
        assert_eq!(source("2001:db8:1:2:3::1").to_string(), "2001:db8:1:2::");
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
    }

    #[test]
    fn the_fence_shuts_out_the_denied_and_the_banned_but_never_the_allowed() {
        let at = |text: &str| text.parse().unwrap();
        let fence = Fence {
            banned: BTreeSet::from([source("192.0.2.1"), source("10.0.0.7")]),
            allow: vec!["10.0.0.0/8".parse().unwrap()],
            deny: vec!["198.51.100.0/24".parse().unwrap()],
        };
        let shut: Vec<bool> =
            ["192.0.2.1", "192.0.2.2", "10.0.0.7", "198.51.100.3"].into_iter().map(|text| fence.shuts_out(at(text))).collect();
        assert_eq!(shut, [true, false, false, true]);
        assert!(!Fence::default().shuts_out(at("192.0.2.1")));
    }
}
