//! SIP on the wire: UDP and TCP, bytes to messages and back.
//!
//! One task a UDP listener reads and parses; datagrams are written from the thread that sends. All streams belong to one task,
//! each with its own reader and writer. Messages go to the rules over one bounded channel: when it runs full, new calls are
//! refused at the door while requests of running calls keep a reserve.

mod connection;
mod door;
mod streams;
mod udp;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::Sender;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::control::surface::Input;
use crate::control::words::directory::Listener;
use crate::control::words::sip::{ListenerId, Transmit, Transport};
use door::Door;
use streams::{Command, Streams};

/// Messages for streams that wait for their task; more are lost and counted.
const STREAM_QUEUE: usize = 4_096;

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
    bound: Vec<(ListenerId, SocketAddr)>,
    counts: Arc<Counts>,
    /// Aborted when the last handle goes.
    _tasks: JoinSet<()>,
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
    /// New calls refused at the door because the rules were busy.
    pub refused: AtomicU64,
    /// Messages lost because a queue or a socket was full; their senders repeat them.
    pub lost: AtomicU64,
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
            Transport::Tcp => self.shared.streams.try_send(Command::Send(transmit)).is_ok(),
        };
        count(if sent { &counts.sent } else { &counts.lost });
    }

    fn send_datagram(&self, transmit: &Transmit) -> bool {
        let socket = self.shared.datagrams.iter().find(|(id, _)| *id == transmit.flow.listener);
        // A full socket or an unreachable peer loses the datagram, as a network would; the transaction repeats it.
        socket.is_some_and(|(_, socket)| socket.send_to(&transmit.bytes, transmit.flow.remote).is_ok())
    }

    /// Where a listener is really bound (port 0 asks the system for one).
    #[must_use]
    pub fn local_addr(&self, listener: ListenerId) -> Option<SocketAddr> {
        self.shared.bound.iter().find(|(id, _)| *id == listener).map(|(_, address)| *address)
    }

    /// What the wire saw.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.shared.counts
    }
}

/// Binds the listeners and begins to read; call within a tokio runtime. Messages come as `Input::Sip`, broken streams as `Input::SipBroken`.
///
/// # Errors
/// When a listener cannot be bound; the text names it.
pub async fn start(listeners: &[Listener], inputs: Sender<Input>) -> io::Result<Handle> {
    let counts = Arc::new(Counts::default());
    let door = Door::new(inputs, counts.clone());
    let (streams, commands) = mpsc::channel(STREAM_QUEUE);
    let (mut datagrams, mut bound, mut tasks) = (Vec::new(), Vec::new(), JoinSet::new());
    for listener in listeners {
        let named =
            |why: io::Error| io::Error::new(why.kind(), format!("SIP listener {} {}: {why}", listener.transport.token(), listener.bound));
        match listener.transport {
            Transport::Udp => {
                let socket = udp::bind(listener.bound).map_err(named)?;
                bound.push((listener.id, socket.local_addr()?));
                datagrams.push((listener.id, socket.try_clone()?));
                tasks.spawn(udp::read(UdpSocket::from_std(socket)?, listener.id, door.clone()));
            }
            Transport::Tcp => {
                let socket = TcpListener::bind(listener.bound).await.map_err(named)?;
                bound.push((listener.id, socket.local_addr()?));
                tasks.spawn(streams::accept(socket, listener.id, streams.clone()));
            }
        }
    }
    // The task holds only a weak sender, so that it ends with the last handle.
    tasks.spawn(Streams::new(door, streams.downgrade()).run(commands));
    Ok(Handle { shared: Arc::new(Shared { datagrams, streams, bound, counts, _tasks: tasks }) })
}

#[cfg(test)]
mod tests;
