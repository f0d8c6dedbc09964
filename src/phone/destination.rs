//! Where a phone calls or registers: a SIP URI taken apart. Its host is resolved when the phone starts.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use crate::control::words::sip::{Secrecy, Transport, Whereabouts};

/// Why a text is no destination.
#[derive(Debug, thiserror::Error)]
pub enum BadDestination {
    /// Neither a URI nor a number with a server.
    #[error("`{0}` is no SIP URI; write sip:4001010@127.0.0.1:5060, or a number together with --server")]
    Form(String),
    /// An unknown transport.
    #[error("`{0}` is no transport here; write udp, tcp, tls, ws or wss")]
    Transport(String),
    /// The port is no number.
    #[error("`{0}` is no host with a port")]
    Host(String),
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
    /// Where packets go, before it is resolved.
    pub place: Whereabouts,
}

impl Destination {
    /// Reads `sip:user@host[:port][;transport=tcp]`, `sips:…`, or a bare number at `server` (`[sips:]host[:port][;transport=tcp]`).
    ///
    /// # Errors
    /// When the text is neither.
    pub fn read(text: &str, server: Option<&str>) -> Result<Destination, BadDestination> {
        let form = || BadDestination::Form(text.to_owned());
        let (secrecy, whole) = match (scheme(text), server) {
            (Some((secrecy, rest)), _) if rest.contains('@') => (secrecy, rest.to_owned()),
            (Some(_), _) | (None, None) => return Err(form()),
            (None, Some(server)) => {
                let (secrecy, server) = scheme(server).unwrap_or((Secrecy::Any, server));
                (secrecy, format!("{text}@{server}"))
            }
        };
        let (user, rest) = whole.split_once('@').ok_or_else(form)?;
        let (host, parameters) = rest.split_once(';').unwrap_or((rest, ""));
        if user.is_empty() || host.is_empty() {
            return Err(form());
        }
        let (name, port) = split(host).ok_or_else(|| BadDestination::Host(host.to_owned()))?;
        let place = Whereabouts { host: name, port, transport: transport(parameters)?, secrecy };
        let scheme = if secrecy == Secrecy::Tls { "sips" } else { "sip" };
        Ok(Destination { uri: format!("{scheme}:{user}@{host}"), user: user.to_owned(), host: host.to_owned(), place })
    }

    /// `sip:host`, the server itself, under the scheme of the destination.
    #[must_use]
    pub fn server(&self) -> String {
        let scheme = if self.place.secrecy == Secrecy::Tls { "sips" } else { "sip" };
        format!("{scheme}:{}", self.host)
    }
}

/// Our own address on the way there.
///
/// # Errors
/// When there is no way.
pub fn local_ip(there: SocketAddr) -> std::io::Result<IpAddr> {
    let any: IpAddr = if there.is_ipv6() { std::net::Ipv6Addr::UNSPECIFIED.into() } else { std::net::Ipv4Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(there)?;
    Ok(socket.local_addr()?.ip())
}

fn scheme(text: &str) -> Option<(Secrecy, &str)> {
    text.strip_prefix("sips:").map(|rest| (Secrecy::Tls, rest)).or_else(|| text.strip_prefix("sip:").map(|rest| (Secrecy::Any, rest)))
}

/// `host`, `host:5060`, `[::1]`, `[::1]:5060`, `::1`.
fn split(host: &str) -> Option<(String, Option<u16>)> {
    if let Ok(bare) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Some((bare.to_string(), None));
    }
    if let Ok(whole) = host.parse::<SocketAddr>() {
        return Some((whole.ip().to_string(), Some(whole.port())));
    }
    match host.split_once(':') {
        Some((name, port)) => Some((name.to_owned(), Some(port.parse().ok()?))),
        None => Some((host.to_owned(), None)),
    }
}

fn transport(parameters: &str) -> Result<Option<Transport>, BadDestination> {
    let named = parameters.split(';').find_map(|parameter| parameter.strip_prefix("transport="));
    named.map(|named| Transport::of_name(named).ok_or_else(|| BadDestination::Transport(named.to_owned()))).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_and_bare_numbers_are_read() {
        let tcp = Destination::read("sip:4001010@127.0.0.1:5070;transport=tcp", None).unwrap();
        assert_eq!(
            (tcp.place.port, tcp.place.wished(), tcp.uri.as_str()),
            (Some(5070), Some(Transport::Tcp), "sip:4001010@127.0.0.1:5070")
        );
        let bare = Destination::read("4001010", Some("127.0.0.1")).unwrap();
        assert_eq!((bare.place.port, bare.place.usual(), bare.uri.as_str()), (None, Transport::Udp, "sip:4001010@127.0.0.1"));
        let six = Destination::read("sip:a@[::1]:5071", None).unwrap();
        assert_eq!((six.place.host.as_str(), six.place.port), ("::1", Some(5071)));
        assert_eq!(Destination::read("sip:a@[::1]", None).unwrap().place.host, "::1");
    }

    #[test]
    fn a_secure_scheme_asks_for_tls_whatever_the_transport() {
        let tls = Destination::read("sips:anna@pbx.example", None).unwrap();
        assert_eq!(
            (tls.place.wished(), tls.uri.as_str(), tls.server().as_str()),
            (Some(Transport::Tls), "sips:anna@pbx.example", "sips:pbx.example")
        );
        let wss = Destination::read("anna", Some("sips:pbx.example:443;transport=ws")).unwrap();
        assert_eq!((wss.place.wished(), wss.place.port), (Some(Transport::Wss), Some(443)));
    }

    #[test]
    fn what_is_no_destination_says_the_mend() {
        assert!(Destination::read("4001010", None).unwrap_err().to_string().contains("--server"));
        assert!(matches!(Destination::read("sip:a@127.0.0.1;transport=sctp", None), Err(BadDestination::Transport(_))));
        assert!(matches!(Destination::read("sip:a@h:x", None), Err(BadDestination::Host(_))));
        assert!(Destination::read("sip:127.0.0.1", None).is_err());
    }
}
