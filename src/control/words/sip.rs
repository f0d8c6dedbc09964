//! Where a SIP message came from and where one goes.

use std::net::SocketAddr;

/// How SIP travels.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
pub enum Transport {
    /// Datagrams (RFC 3261 §18).
    Udp,
    /// A stream.
    Tcp,
}

impl Transport {
    /// Streams need no retransmission (RFC 3261 §17).
    #[must_use]
    pub fn is_reliable(self) -> bool {
        self != Transport::Udp
    }

    /// The token of a Via header: `UDP`, `TCP`.
    #[must_use]
    pub fn token(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
        }
    }
}

/// A listening socket by its place in the configuration.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ListenerId(pub u16);

/// A stream connection, numbered by the edge; never reused.
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
