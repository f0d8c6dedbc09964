//! Where a phone calls or registers: a SIP URI taken apart and its host resolved.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs, UdpSocket};

use crate::control::words::sip::Transport;

const SIP_PORT: u16 = 5060;

/// Why a text is no destination.
#[derive(Debug, thiserror::Error)]
pub enum BadDestination {
    /// Neither a URI nor a number with a server.
    #[error("`{0}` is no SIP URI; write sip:4001010@127.0.0.1:5060, or a number together with --server")]
    Form(String),
    /// Only `udp` and `tcp`.
    #[error("`{0}` is no transport here; write udp or tcp")]
    Transport(String),
    /// The host has no address.
    #[error("{host} cannot be resolved: {why}")]
    Host {
        /// As written.
        host: String,
        /// What the resolver said.
        why: std::io::Error,
    },
}

/// A server and who is meant there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Destination {
    /// `sip:4001010@127.0.0.1:5060`.
    pub uri: String,
    /// The user part.
    pub user: String,
    /// `127.0.0.1:5060`, as written.
    pub host: String,
    /// Where packets go.
    pub address: SocketAddr,
    /// How.
    pub transport: Transport,
}

impl Destination {
    /// Reads `sip:user@host[:port][;transport=tcp]`, or a bare number at `server` (`host[:port][;transport=tcp]`).
    ///
    /// # Errors
    /// When the text is neither, or its host has no address.
    pub fn read(text: &str, server: Option<&str>) -> Result<Destination, BadDestination> {
        let form = || BadDestination::Form(text.to_owned());
        let whole = match (text.strip_prefix("sip:"), server) {
            (Some(rest), _) if rest.contains('@') => rest.to_owned(),
            (Some(_), _) | (None, None) => return Err(form()),
            (None, Some(server)) => format!("{text}@{}", server.trim_start_matches("sip:")),
        };
        let (user, rest) = whole.split_once('@').ok_or_else(form)?;
        let (host, parameters) = rest.split_once(';').unwrap_or((rest, ""));
        if user.is_empty() || host.is_empty() {
            return Err(form());
        }
        let transport = transport(parameters)?;
        Ok(Destination {
            uri: format!("sip:{user}@{host}"),
            user: user.to_owned(),
            host: host.to_owned(),
            address: resolve(host)?,
            transport,
        })
    }

    /// Our own address on the way there.
    ///
    /// # Errors
    /// When there is no way.
    pub fn local_ip(&self) -> std::io::Result<IpAddr> {
        let any: IpAddr =
            if self.address.is_ipv6() { std::net::Ipv6Addr::UNSPECIFIED.into() } else { std::net::Ipv4Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect(self.address)?;
        Ok(socket.local_addr()?.ip())
    }
}

fn transport(parameters: &str) -> Result<Transport, BadDestination> {
    let named = parameters.split(';').find_map(|parameter| parameter.strip_prefix("transport="));
    match named.map(str::to_ascii_lowercase).as_deref() {
        None | Some("udp") => Ok(Transport::Udp),
        Some("tcp") => Ok(Transport::Tcp),
        Some(other) => Err(BadDestination::Transport(other.to_owned())),
    }
}

fn resolve(host: &str) -> Result<SocketAddr, BadDestination> {
    let fail = |why| BadDestination::Host { host: host.to_owned(), why };
    let has_port =
        host.rsplit_once(':').is_some_and(|(before, port)| port.parse::<u16>().is_ok() && (!before.contains(':') || before.ends_with(']')));
    let found = if has_port { host.to_socket_addrs() } else { (host.trim_matches(['[', ']']), SIP_PORT).to_socket_addrs() };
    let nothing = || std::io::Error::new(std::io::ErrorKind::NotFound, "it has no address");
    found.map_err(fail)?.next().ok_or_else(|| fail(nothing()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_and_bare_numbers_are_read() {
        let tcp = Destination::read("sip:4001010@127.0.0.1:5070;transport=tcp", None).unwrap();
        assert_eq!((tcp.address.port(), tcp.transport, tcp.uri.as_str()), (5070, Transport::Tcp, "sip:4001010@127.0.0.1:5070"));
        let bare = Destination::read("4001010", Some("127.0.0.1")).unwrap();
        assert_eq!((bare.address.port(), bare.uri.as_str()), (5060, "sip:4001010@127.0.0.1"));
        let six = Destination::read("sip:a@[::1]:5071", None).unwrap();
        assert_eq!(six.address, "[::1]:5071".parse().unwrap());
    }

    #[test]
    fn what_is_no_destination_says_the_mend() {
        assert!(Destination::read("4001010", None).unwrap_err().to_string().contains("--server"));
        assert!(matches!(Destination::read("sip:a@127.0.0.1;transport=sctp", None), Err(BadDestination::Transport(_))));
        assert!(Destination::read("sip:127.0.0.1", None).is_err());
    }
}
