//! SIP on the wire: UDP and TCP, bytes to messages and back.
//!
//! Datagrams are sent from the thread that has them, without waiting. Streams belong to one task that owns the table of
//! connections; each connection has a task that reads and writes it.

mod door;
mod tcp;
#[cfg(test)]
mod tests;
mod udp;

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use crossbeam_channel::Sender;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::control::surface::Input;
use crate::control::words::directory::Listener;
use crate::control::words::sip::{ListenerId, Transmit, Transport};

use door::Door;

/// Messages for streams that may wait for the task that owns them.
const STREAM_ORDERS: usize = 8_192;

/// The running sockets; dropping the last clone closes them.
#[derive(Debug, Clone)]
pub struct Handle {
    datagrams: Arc<[(ListenerId, UdpSocket)]>,
    streams: mpsc::Sender<tcp::Order>,
    bound: Arc<[(ListenerId, SocketAddr)]>,
    tasks: Arc<Tasks>,
}

/// Ends the readers with the last handle.
#[derive(Debug)]
struct Tasks(Vec<JoinHandle<()>>);

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl Handle {
    /// Sends a message; never waits. What the kernel does not take is lost on the wire: SIP over UDP sends it again.
    pub fn send(&self, transmit: Transmit) {
        if transmit.flow.transport != Transport::Udp {
            if self.streams.try_send(tcp::Order::Send(transmit)).is_err() {
                tracing::warn!(waiting = STREAM_ORDERS, "a message for a stream is dropped: too many wait");
            }
            return;
        }
        let Some((_, socket)) = self.datagrams.iter().find(|(id, _)| *id == transmit.flow.listener) else { return };
        if let Err(error) = socket.send_to(&transmit.bytes, transmit.flow.remote) {
            tracing::debug!(%error, to = %transmit.flow.remote, "a datagram was not taken");
        }
    }

    /// Where a listener is really bound (port 0 asks the system for one).
    #[must_use]
    pub fn local_addr(&self, listener: ListenerId) -> Option<SocketAddr> {
        self.bound.iter().find(|(id, _)| *id == listener).map(|(_, address)| *address)
    }

    /// How many reader tasks run.
    #[must_use]
    pub fn readers(&self) -> usize {
        self.tasks.0.len()
    }
}

/// Binds the listeners and begins to read; call within a tokio runtime. Messages come as `Input::Sip`, broken streams as `Input::SipBroken`.
///
/// # Errors
/// When a listener cannot be bound; the text names it.
pub async fn start(listeners: &[Listener], inputs: Sender<Input>) -> std::io::Result<Handle> {
    let (streams, orders) = mpsc::channel(STREAM_ORDERS);
    let door = Door::new(inputs);
    let (mut datagrams, mut bound, mut tasks) = (Vec::new(), Vec::new(), Vec::new());
    for listener in listeners {
        let named = |error: std::io::Error| {
            let what = format!("{} {}: {error}; free the port or change [sip] listen", listener.transport.token(), listener.bound);
            std::io::Error::new(error.kind(), what)
        };
        let address = match listener.transport {
            Transport::Udp => {
                let socket = udp::bind(listener.bound).map_err(named)?;
                let address = socket.local_addr()?;
                tasks.push(udp::read(listener.id, socket.try_clone()?, door.clone())?);
                datagrams.push((listener.id, socket));
                address
            }
            Transport::Tcp => {
                let socket = tokio::net::TcpListener::bind(listener.bound).await.map_err(named)?;
                let address = socket.local_addr()?;
                tasks.push(tokio::spawn(tcp::accept(listener.id, socket, streams.clone())));
                address
            }
        };
        bound.push((listener.id, address));
    }
    tasks.push(tokio::spawn(tcp::own(orders, streams.downgrade(), door)));
    Ok(Handle { datagrams: datagrams.into(), streams, bound: bound.into(), tasks: Arc::new(Tasks(tasks)) })
}
