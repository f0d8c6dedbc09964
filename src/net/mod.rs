//! SIP on the wire: UDP, TCP, TLS, WebSocket; bytes to messages and back.
//!
//! Datagrams are read by whoever waits for them ([`Datagrams`]) and written from the thread that sends. All streams belong to one task,
//! each with its own reader and writer. Messages go to the rules in two bounded lanes: what begins something new is refused at the
//! door when its short lane is full; what belongs to running calls has the other to itself.

pub mod certificate;
mod connection;
mod door;
mod resolve;
mod streams;
mod stun;
pub mod tls;
mod udp;
mod websocket;
mod where_to;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::control::words::directory::Listener;
use crate::control::words::guard::Fence;
use crate::control::words::sip::{Flow, ListenerId, Transmit, Transport, Whereabouts};
use door::Door;
pub use door::Lanes;
use streams::{Command, Streams};
use tls::Tls;
pub use udp::Datagrams;
use udp::Reader;

pub use resolve::{Found, LocateError, Resolver};

/// Messages for streams that wait for their task; more are lost and counted.
const STREAM_QUEUE: usize = 4_096;
/// Connections that the system keeps for us until we take them.
const BACKLOG: i32 = 1_024;

/// What is opened.
#[derive(Debug, Clone, Default)]
pub struct Opening {
    /// The sockets.
    pub listeners: Vec<Listener>,
    /// Certificates; secure sockets and secure far ends need them.
    pub tls: Option<Arc<Tls>>,
    /// Who is asked where names lead; the system's when there are none.
    pub name_servers: Vec<SocketAddr>,
}

/// The running sockets; dropping the last clone closes them.
#[derive(Debug, Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Second handles of the UDP sockets, so that any thread may write.
    datagrams: Vec<(ListenerId, std::net::UdpSocket)>,
    streams: mpsc::Sender<Command>,
    questions: mpsc::Sender<Whereabouts>,
    door: Door,
    bound: Vec<(ListenerId, SocketAddr)>,
    counts: Arc<Counts>,
    /// Aborted when the last handle goes.
    _tasks: JoinSet<()>,
    /// Ends when the last handle goes; there is none where others read.
    _reader: Option<Reader>,
}

/// What the wire saw, since the start.
#[derive(Debug, Default)]
pub struct Counts {
    /// Messages handed to the rules.
    pub received: AtomicU64,
    /// Messages sent.
    pub sent: AtomicU64,
    /// Datagrams and stream bytes that were no SIP; answered 400 where a Via could be read.
    pub malformed: AtomicU64,
    /// Messages of banned or denied sources, dropped unread.
    pub shut_out: AtomicU64,
    /// New requests refused at the door because the rules were busy.
    pub refused: AtomicU64,
    /// Messages lost because a queue or a socket was full; their senders repeat them.
    pub lost: AtomicU64,
    /// Connections closed unheard: there were too many, or too many of one address.
    pub turned_away: AtomicU64,
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Handle {
    /// Sends a message; never blocks. UDP is written at once from the calling thread.
    pub fn send(&self, transmit: Transmit) {
        let counts = &self.shared.counts;
        let sent = match transmit.flow.transport {
            Transport::Udp => self.send_datagram(&transmit),
            Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => {
                self.shared.streams.try_send(Command::Send(transmit)).is_ok()
            }
        };
        count(if sent { &counts.sent } else { &counts.lost });
    }

    fn send_datagram(&self, transmit: &Transmit) -> bool {
        let socket = self.shared.datagrams.iter().find(|(id, _)| *id == transmit.flow.listener);
        // A full socket or an unreachable peer loses the datagram, as a network would; the transaction repeats it.
        socket.is_some_and(|(_, socket)| socket.send_to(&transmit.bytes, transmit.flow.remote).is_ok())
    }

    /// Asks DNS where a request may go; the answer comes as `Input::Located`. Never waits: with too many questions waiting it
    /// fails at once.
    pub fn locate(&self, question: Whereabouts) {
        if let Err(full) = self.shared.questions.try_send(question) {
            tracing::error!(waiting = where_to::WAITING, "too many names wait for DNS");
            self.shared.door.locate_failed(full.into_inner());
        }
    }

    /// What comes from these sources is dropped unread from here on.
    pub fn fence(&self, fence: Arc<Fence>) {
        self.shared.door.fence.store(fence);
    }

    /// The path to a far end that was found under this name: certificates are checked against it, WebSocket servers are told it.
    pub async fn place(&self, flow: Flow, name: &str) -> Flow {
        streams::place(&self.shared.streams, flow, name).await
    }

    /// Where a listener is really bound (port 0 asks the system for one).
    #[must_use]
    pub fn local_addr(&self, listener: ListenerId) -> Option<SocketAddr> {
        self.shared.bound.iter().find(|(id, _)| *id == listener).map(|(_, address)| *address)
    }

    /// What the wire saw.
    #[must_use]
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.shared.counts)
    }
}

/// Binds the listeners and begins to read; call within a tokio runtime. Messages come as `Input::Sip`, broken streams as
/// `Input::SipBroken`.
///
/// # Errors
/// When a listener cannot be bound, or is to be secure without certificate; the text names it.
pub fn start(opening: Opening, lanes: impl Into<Lanes>) -> io::Result<Handle> {
    let (mut shared, datagrams) = bind(opening, lanes.into())?;
    shared._reader = Some(Reader::start(datagrams)?);
    Ok(Handle { shared: Arc::new(shared) })
}

/// The same for who reads the datagrams himself.
///
/// # Errors
/// As [`start`].
pub fn open(opening: Opening, lanes: Lanes) -> io::Result<(Handle, Datagrams)> {
    let (shared, datagrams) = bind(opening, lanes)?;
    Ok((Handle { shared: Arc::new(shared) }, datagrams))
}

fn bind(opening: Opening, lanes: Lanes) -> io::Result<(Shared, Datagrams)> {
    let Opening { listeners, tls, name_servers } = opening;
    let counts = Arc::new(Counts::default());
    let door = Door::new(lanes, counts.clone());
    let (streams, commands) = mpsc::channel(STREAM_QUEUE);
    let (mut sockets, mut datagrams, mut bound, mut tasks) = (Vec::new(), Vec::new(), Vec::new(), JoinSet::new());
    for listener in &listeners {
        let named =
            |why: io::Error| io::Error::new(why.kind(), format!("SIP listener {} {}: {why}", listener.transport.token(), listener.bound));
        if listener.transport == Transport::Udp {
            let socket = udp::bind(listener.bound).map_err(named)?;
            bound.push((listener.id, socket.local_addr()?));
            datagrams.push((listener.id, socket.try_clone()?));
            sockets.push((listener.id, socket));
            continue;
        }
        if listener.transport.is_secure() && tls.is_none() {
            return Err(named(io::Error::new(io::ErrorKind::Unsupported, "no certificate is there")));
        }
        let socket = bind_stream(listener.bound).map_err(named)?;
        bound.push((listener.id, socket.local_addr()?));
        tasks.spawn(streams::accept(socket, listener.id, streams.clone()));
    }
    if let Some(tls) = &tls {
        tasks.spawn(Arc::clone(tls).watch());
    }
    // The task holds only a weak sender, so that it ends with the last handle.
    let table = Streams::new(door.clone(), listeners.clone(), tls, streams.downgrade());
    tasks.spawn(table.run(commands));
    let (questions, asked) = mpsc::channel(where_to::WAITING);
    let resolver = Resolver::new(&name_servers).inspect_err(|why| tracing::warn!(%why, "names cannot be resolved"));
    let asking = where_to::Asking { resolver: resolver.ok(), listeners, streams: streams.downgrade(), door: door.clone() };
    tasks.spawn(asking.run(asked));
    let sockets = Datagrams::new(sockets, door.clone())?;
    Ok((Shared { datagrams, streams, questions, door, bound, counts, _tasks: tasks, _reader: None }, sockets))
}

/// IPv6 sockets take IPv6 only, so that each address family has its own listener.
fn bind_stream(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A restarted server takes its port again although old connections still fade away.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

#[cfg(test)]
mod resolve_tests;
#[cfg(test)]
mod stream_tests;
#[cfg(test)]
mod tests;
