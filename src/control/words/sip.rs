//! Where a SIP message came from and where one goes.

use std::net::SocketAddr;

/// How SIP travels.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
pub enum Transport {
    /// Datagrams (RFC 3261 §18).
    Udp,
    /// A stream.
    Tcp,
    /// A stream within TLS.
    Tls,
    /// WebSocket messages (RFC 7118).
    Ws,
    /// WebSocket messages within TLS.
    Wss,
}

impl Transport {
    /// All of them, in the order in which people name them.
    pub const ALL: [Transport; 5] = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss];

    /// Streams need no retransmission (RFC 3261 §17).
    #[must_use]
    pub fn is_reliable(self) -> bool {
        self != Transport::Udp
    }

    /// Is it within TLS, as `sips:` asks for?
    #[must_use]
    pub fn is_secure(self) -> bool {
        matches!(self, Transport::Tls | Transport::Wss)
    }

    /// Are its messages WebSocket messages?
    #[must_use]
    pub fn is_websocket(self) -> bool {
        matches!(self, Transport::Ws | Transport::Wss)
    }

    /// The token of a Via header: `UDP`, `TCP`, `TLS`, `WS`, `WSS`.
    #[must_use]
    pub fn token(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
            Transport::Ws => "WS",
            Transport::Wss => "WSS",
        }
    }

    /// By its name in a URI parameter, in configuration or in a Via, whatever its case.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Transport> {
        Transport::ALL.into_iter().find(|transport| transport.token().eq_ignore_ascii_case(name))
    }

    /// The parameter of a URI that leads here; empty for UDP, which needs none. `ws` names both kinds of WebSocket (RFC 7118 §5.2.2).
    #[must_use]
    pub fn uri_param(self) -> &'static str {
        match self {
            Transport::Udp => "",
            Transport::Tcp => ";transport=tcp",
            Transport::Tls => ";transport=tls",
            Transport::Ws | Transport::Wss => ";transport=ws",
        }
    }

    /// The port where none is named (RFC 3261 §19.1.2, RFC 7118 §5.2.2).
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Transport::Udp | Transport::Tcp => 5060,
            Transport::Tls => 5061,
            Transport::Ws => 80,
            Transport::Wss => 443,
        }
    }
}

/// A listening socket by its place in the configuration.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ListenerId(pub u16);

/// A stream connection, numbered by the edge; never reused. One that the edge dials may be closed and dialled again under its number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnectionId(pub u64);

/// The path of a message: answers go back along it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Flow {
    /// Our socket.
    pub listener: ListenerId,
    /// Its transport.
    pub transport: Transport,
    /// The peer.
    pub remote: SocketAddr,
    /// The stream connection, when there is one. `None` on a stream transport asks the edge to connect.
    pub connection: Option<ConnectionId>,
}

/// A message that goes out, printed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transmit {
    /// Along which path.
    pub flow: Flow,
    /// The whole message.
    pub bytes: bytes::Bytes,
}

/// Where a request goes, as its URI says it (RFC 3263 §4): the parts that decide.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Whereabouts {
    /// A name, or an address without brackets.
    pub host: String,
    /// The port, when it is written.
    pub port: Option<u16>,
    /// The transport, when it is written.
    pub transport: Option<Transport>,
    /// Does the scheme ask for TLS?
    pub secrecy: Secrecy,
}

/// What a URI's scheme asks of the way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Secrecy {
    /// `sip:`
    Any,
    /// `sips:`
    Tls,
}

impl Whereabouts {
    /// The transport that is written; where the scheme asks for TLS, its secure kind.
    #[must_use]
    pub fn wished(&self) -> Option<Transport> {
        match (self.secrecy, self.transport) {
            (Secrecy::Tls, Some(Transport::Ws | Transport::Wss)) => Some(Transport::Wss),
            (Secrecy::Tls, _) => Some(Transport::Tls),
            (Secrecy::Any, written) => written,
        }
    }

    /// The transport where neither the URI nor DNS names one (RFC 3263 §4.1).
    #[must_use]
    pub fn usual(&self) -> Transport {
        self.wished().unwrap_or(Transport::Udp)
    }
}

impl std::fmt::Display for Whereabouts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let brackets = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{}{}{}", brackets.0, self.host, brackets.1)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// One place where a request may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Along which path.
    pub flow: Flow,
    /// The lower ones first.
    pub priority: u16,
    /// Among equals, the share of requests (RFC 2782).
    pub weight: u16,
}

/// What became of a question of where a request goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Located {
    /// These places, in no order.
    At {
        /// At least one.
        places: Vec<Place>,
        /// So long the answer may be kept.
        keep: std::time::Duration,
    },
    /// The name has no address that we can reach.
    Nowhere,
    /// DNS does not answer.
    Failed,
}
