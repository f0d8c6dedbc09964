//! Streams: accepted or made on demand, cut into messages by Content-Length (RFC 3261 §18.3), with CRLF keep-alive (RFC 5626).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::door::Door;
use crate::control::sip::message::{Frame, frame};
use crate::control::words::sip::{ConnectionId, Flow, ListenerId, Transmit, Transport};

/// Streams at a time; one more is closed at once.
const STREAMS: usize = 16_384;
/// Messages that may wait for one stream; one more breaks it: its reader is gone.
const OUTBOX: usize = 512;
/// A stream on which nothing came for so long is closed; phones keep theirs alive far more often.
const IDLE: Duration = Duration::from_secs(900);
/// How long making a stream may take: half of timer B.
const CONNECT: Duration = Duration::from_secs(16);
const READ_BYTES: usize = 4_096;
/// After a failed accept (no descriptors left) the next waits this long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Work for the task that owns the streams.
#[derive(Debug)]
pub enum Order {
    /// Send it.
    Send(Transmit),
    /// A phone has connected.
    Accepted(ListenerId, TcpStream, SocketAddr),
    /// The stream is over.
    Closed(ConnectionId),
}

/// Accepts until it is aborted.
pub async fn accept(listener: ListenerId, socket: TcpListener, orders: mpsc::Sender<Order>) {
    let mut pace = tokio::time::interval(ACCEPT_PAUSE);
    loop {
        match socket.accept().await {
            Ok((stream, remote)) => {
                if orders.send(Order::Accepted(listener, stream, remote)).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a SIP stream could not be accepted");
                pace.tick().await;
            }
        }
    }
}

/// All streams by number, and by peer for requests that may use any.
struct Streams {
    by_id: HashMap<ConnectionId, (Flow, mpsc::Sender<Bytes>)>,
    by_peer: HashMap<(ListenerId, SocketAddr), ConnectionId>,
    made: u64,
    closed: mpsc::WeakSender<Order>,
    door: Door,
}

/// Owns the streams until the last handle is dropped.
pub async fn own(mut orders: mpsc::Receiver<Order>, closed: mpsc::WeakSender<Order>, door: Door) {
    let mut streams = Streams { by_id: HashMap::new(), by_peer: HashMap::new(), made: 0, closed, door };
    while let Some(order) = orders.recv().await {
        match order {
            Order::Send(transmit) => streams.send(transmit),
            Order::Accepted(listener, stream, remote) => streams.accepted(listener, stream, remote),
            Order::Closed(id) => streams.forget(id),
        }
    }
}

impl Streams {
    fn send(&mut self, transmit: Transmit) {
        let peer = (transmit.flow.listener, transmit.flow.remote);
        let known = transmit.flow.connection.filter(|id| self.by_id.contains_key(id)).or_else(|| self.by_peer.get(&peer).copied());
        let Some(id) = known.or_else(|| self.connect(transmit.flow)) else { return self.door.broken(transmit.flow) };
        let Some((flow, outbox)) = self.by_id.get(&id) else { return };
        if outbox.try_send(transmit.bytes).is_err() {
            tracing::warn!(peer = %flow.remote, "a SIP stream does not take what is sent: it is given up");
            let flow = *flow;
            self.forget(id);
            self.door.broken(flow);
        }
    }

    fn accepted(&mut self, listener: ListenerId, stream: TcpStream, remote: SocketAddr) {
        if self.by_id.len() >= STREAMS {
            tracing::warn!(%remote, limit = STREAMS, "too many SIP streams: one more is closed");
            return;
        }
        let (flow, outbox) = self.open(Flow { listener, transport: Transport::Tcp, remote, connection: None });
        self.spawn(flow, outbox, async move { Ok(stream) });
    }

    fn connect(&mut self, wish: Flow) -> Option<ConnectionId> {
        if self.by_id.len() >= STREAMS {
            return None;
        }
        let (flow, outbox) = self.open(wish);
        let connect = async move {
            tokio::time::timeout(CONNECT, TcpStream::connect(flow.remote))
                .await
                .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
        };
        self.spawn(flow, outbox, connect);
        flow.connection
    }

    fn open(&mut self, wish: Flow) -> (Flow, mpsc::Receiver<Bytes>) {
        self.made += 1;
        let id = ConnectionId(self.made);
        let flow = Flow { connection: Some(id), ..wish };
        let (outbox, inbox) = mpsc::channel(OUTBOX);
        self.by_id.insert(id, (flow, outbox));
        self.by_peer.insert((flow.listener, flow.remote), id);
        (flow, inbox)
    }

    fn spawn(&self, flow: Flow, outbox: mpsc::Receiver<Bytes>, stream: impl Future<Output = std::io::Result<TcpStream>> + Send + 'static) {
        let (door, closed) = (self.door.clone(), self.closed.clone());
        tokio::spawn(async move {
            match stream.await {
                Ok(stream) => {
                    Connection { flow, stream, buffer: BytesMut::with_capacity(READ_BYTES), door: door.clone() }.run(outbox).await
                }
                Err(error) => tracing::debug!(%error, to = %flow.remote, "no SIP stream could be made"),
            }
            door.broken(flow);
            if let (Some(id), Some(closed)) = (flow.connection, closed.upgrade()) {
                let _ = closed.send(Order::Closed(id)).await;
            }
        });
    }

    fn forget(&mut self, id: ConnectionId) {
        let Some((flow, _)) = self.by_id.remove(&id) else { return };
        let peer = (flow.listener, flow.remote);
        if self.by_peer.get(&peer) == Some(&id) {
            self.by_peer.remove(&peer);
        }
    }
}

/// One stream.
struct Connection {
    flow: Flow,
    stream: TcpStream,
    buffer: BytesMut,
    door: Door,
}

impl Connection {
    async fn run(mut self, mut outbox: mpsc::Receiver<Bytes>) {
        let _ = self.stream.set_nodelay(true);
        loop {
            self.buffer.reserve(READ_BYTES);
            let alive = tokio::select! {
                read = tokio::time::timeout(IDLE, self.stream.read_buf(&mut self.buffer)) => matches!(read, Ok(Ok(1..))) && self.cut().await,
                bytes = outbox.recv() => match bytes {
                    Some(bytes) => self.stream.write_all(&bytes).await.is_ok(),
                    None => false,
                },
            };
            if !alive {
                return;
            }
        }
    }

    /// Takes every whole message out of the buffer. False: close the stream.
    async fn cut(&mut self) -> bool {
        loop {
            let answer = match frame(&self.buffer) {
                Frame::Partial => return true,
                Frame::KeepAlive(length) => {
                    let _ = self.buffer.split_to(length);
                    (length >= PING.len()).then(|| Bytes::from_static(PONG))
                }
                Frame::Whole(length) => {
                    let bytes = Bytes::copy_from_slice(&self.buffer.split_to(length));
                    self.door.take(self.flow, bytes).map(|refusal| refusal.bytes)
                }
                Frame::Broken(why) => {
                    tracing::debug!(from = %self.flow.remote, why, "a SIP stream is closed");
                    return false;
                }
            };
            if let Some(bytes) = answer
                && self.stream.write_all(&bytes).await.is_err()
            {
                return false;
            }
        }
    }
}

/// A keep-alive that asks for an answer, and the answer (RFC 5626 §3.5.1).
const PING: &[u8] = b"\r\n\r\n";
const PONG: &[u8] = b"\r\n";
