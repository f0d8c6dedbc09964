//! All stream connections: taken in, made on demand, found again, counted, forgotten.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::sync::mpsc::WeakSender;
use tokio::task::JoinSet;

use super::connection::{self, Connection};
use super::count;
use super::door::Door;
use crate::control::words::sip::{ConnectionId, Flow, ListenerId, Transmit, Transport};

/// Connections at once; more are closed as they come.
const MAX_CONNECTIONS: usize = 8_192;
/// Messages that wait for one connection's writer; a peer that does not read loses its connection.
const WRITER_QUEUE: usize = 256;
/// When accepting fails (too many open files), it is tried at most this often.
const ACCEPT_REST: Duration = Duration::from_millis(200);

/// What the task of all streams is told.
#[derive(Debug)]
pub(super) enum Command {
    /// Send along this flow.
    Send(Transmit),
    /// A peer connected.
    Accepted(TcpStream, SocketAddr, ListenerId),
    /// A connection is over.
    Closed(ConnectionId),
}

/// One connection as the table knows it.
#[derive(Debug)]
struct Known {
    flow: Flow,
    writer: mpsc::Sender<Bytes>,
}

/// The table of connections.
pub(super) struct Streams {
    door: Door,
    commands: WeakSender<Command>,
    known: HashMap<ConnectionId, Known>,
    by_remote: HashMap<(ListenerId, SocketAddr), ConnectionId>,
    tasks: JoinSet<()>,
    last: u64,
}

/// Takes connections in until the task is aborted.
pub(super) async fn accept(socket: TcpListener, listener: ListenerId, streams: mpsc::Sender<Command>) {
    let mut rest = tokio::time::interval(ACCEPT_REST);
    loop {
        match socket.accept().await {
            Ok((stream, remote)) => {
                if streams.send(Command::Accepted(stream, remote, listener)).await.is_err() {
                    return;
                }
            }
            Err(why) => {
                tracing::warn!(%why, "a TCP connection could not be taken");
                rest.tick().await;
            }
        }
    }
}

impl Streams {
    pub(super) fn new(door: Door, commands: WeakSender<Command>) -> Streams {
        Streams { door, commands, known: HashMap::new(), by_remote: HashMap::new(), tasks: JoinSet::new(), last: 0 }
    }

    /// Serves commands until the last handle is gone.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        while let Some(command) = commands.recv().await {
            match command {
                Command::Send(transmit) => self.send(transmit),
                Command::Accepted(stream, remote, listener) => {
                    self.open(Flow { listener, transport: Transport::Tcp, remote, connection: None }, Some(stream));
                }
                Command::Closed(id) => self.close(id),
            }
            while self.tasks.try_join_next().is_some() {}
        }
    }

    fn send(&mut self, transmit: Transmit) {
        let Transmit { flow, bytes } = transmit;
        let by_id = flow.connection.filter(|id| self.known.contains_key(id));
        let id = by_id.or_else(|| self.by_remote.get(&(flow.listener, flow.remote)).copied()).or_else(|| self.open(flow, None));
        let Some(known) = id.and_then(|id| self.known.get(&id)) else {
            count(&self.door.counts.lost);
            return self.door.broken(flow);
        };
        if known.writer.try_send(bytes).is_err() {
            count(&self.door.counts.lost);
            let flow = known.flow;
            flow.connection.into_iter().for_each(|id| self.close(id));
            self.door.broken(flow);
        }
    }

    /// A new connection: the peer's, or one that is still to be made.
    fn open(&mut self, flow: Flow, stream: Option<TcpStream>) -> Option<ConnectionId> {
        let commands = self.commands.upgrade().filter(|_| self.known.len() < MAX_CONNECTIONS)?;
        self.last += 1;
        let id = ConnectionId(self.last);
        let flow = Flow { connection: Some(id), ..flow };
        let (writer, queue) = mpsc::channel(WRITER_QUEUE);
        self.by_remote.insert((flow.listener, flow.remote), id);
        self.known.insert(id, Known { flow, writer: writer.clone() });
        let connection = Connection { flow, door: self.door.clone(), writer };
        let commands = commands.downgrade();
        self.tasks.spawn(async move {
            connection::serve(connection, stream, queue).await;
            if let Some(commands) = commands.upgrade() {
                drop(commands.send(Command::Closed(id)).await);
            }
        });
        Some(id)
    }

    fn close(&mut self, id: ConnectionId) {
        let Some(known) = self.known.remove(&id) else { return };
        let place = (known.flow.listener, known.flow.remote);
        if self.by_remote.get(&place) == Some(&id) {
            self.by_remote.remove(&place);
        }
    }
}
