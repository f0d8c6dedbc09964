//! Keeps lookups to public addresses. The address is checked where the connection is made, after the name is resolved: a name that
//! resolves to another address the second time gains nothing.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use arc_swap::ArcSwap;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Which hosts may have private addresses; by default none. Copies share the list, so that one [`Guard::replace`] reaches all.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    private_hosts: Arc<ArcSwap<Vec<String>>>,
}

impl Guard {
    /// Hosts that may have private addresses: `127.0.0.1`, `shop.internal`; `*` allows all.
    #[must_use]
    pub fn new(private_hosts: Vec<String>) -> Guard {
        Guard { private_hosts: Arc::new(ArcSwap::from_pointee(private_hosts)) }
    }

    /// Takes another list; a lookup that is under way goes by the one it began with.
    pub fn replace(&self, private_hosts: Vec<String>) {
        self.private_hosts.store(Arc::new(private_hosts));
    }

    /// An address written into the URL meets no resolver: it is checked here.
    ///
    /// # Errors
    /// Why the URL is refused.
    pub fn check(&self, url: &str) -> Result<(), String> {
        let url = Url::parse(url).map_err(|why| format!("this is no URL: {why}"))?;
        let host = url.host_str().unwrap_or_default();
        match bare(host).parse::<IpAddr>() {
            Ok(address) if !is_public(address) && !self.allows(host) => Err(private(host)),
            _ => Ok(()),
        }
    }

    fn allows(&self, host: &str) -> bool {
        self.private_hosts.load().iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(bare(host)))
    }
}

/// An IPv6 address without its brackets.
fn bare(host: &str) -> &str {
    host.trim_matches(['[', ']'])
}

fn private(host: &str) -> String {
    format!("{host} is a private address: name it in the hosts that lookups may reach to allow it")
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let allowed = guard.allows(&host);
            let usable: Vec<SocketAddr> = found.into_iter().filter(|address| allowed || is_public(address.ip())).collect();
            if usable.is_empty() {
                return Err(private(&host).into());
            }
            Ok(Box::new(usable.into_iter()) as Addrs)
        })
    }
}

/// Is it an address of the public Internet (RFC 6890)?
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let benchmark = a == 198 && (b == 18 || b == 19);
            let none = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_broadcast() || v4.is_documentation();
            !(none || shared || benchmark || v4.is_multicast() || a == 0 || a >= 240)
        }
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_public(IpAddr::V4(v4)),
            None => {
                let first = v6.segments()[0];
                let local = first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80;
                !(v6.is_loopback() || v6.is_unspecified() || v6.is_multicast() || local)
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_list_reaches_every_copy_of_the_guard() {
        let guard = Guard::new(vec!["10.0.0.8".to_owned()]);
        let copy = guard.clone();
        guard.replace(vec!["10.0.0.9".to_owned()]);
        assert!(copy.check("http://10.0.0.9/pay").is_ok());
        assert!(copy.check("http://10.0.0.8/pay").is_err_and(|why| why.contains("10.0.0.8")));
    }

    #[test]
    fn private_addresses_are_told_from_public_ones() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "::1",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["8.8.8.8", "100.63.0.1", "2001:4860:4860::8888", "::ffff:8.8.8.8"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }
}
