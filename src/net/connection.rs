//! One stream from its beginning to its end: made or taken in, secured, then messages cut by Content-Length or by WebSocket.
//! Silence, slowness and garbage end it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite;

use super::door::{Door, Entered};
use super::streams::Command;
use super::tls::Tls;
use super::{count, websocket};
use crate::control::sip::message::{Frame, frame};
use crate::control::words::sip::{ConnectionId, Flow};

/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long TLS and WebSocket may take to agree.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Who connects has something to say within this.
const FIRST: Duration = Duration::from_secs(60);
/// A silent connection is closed after so long; registrations, at most an hour apart, keep it open.
const IDLE: Duration = Duration::from_secs(3_900);
/// A message that has begun must be whole after so long, however it trickles in.
const UNFINISHED: Duration = Duration::from_secs(32);
/// How long a peer may not read before his connection ends.
const WRITE: Duration = Duration::from_secs(10);
/// A connection that we made is kept open through NAT by a double line end so often (RFC 5626 §4.4.1: 95 to 120 s).
const PING: Duration = Duration::from_secs(105);
/// A WebSocket is asked for a sign of life so often, and ends without one for twice that and a little.
const WEBSOCKET_PING: Duration = Duration::from_secs(45);
const WEBSOCKET_IDLE: Duration = Duration::from_secs(100);
/// So many pings in a row may go unanswered by one who used to answer.
const UNANSWERED: u32 = 2;
/// What is read at once.
const CHUNK: usize = 8_192;
/// The keep-alive and its answer (RFC 5626 §3.5.1).
const DOUBLE: &[u8] = b"\r\n\r\n";
const PONG: &[u8] = b"\r\n";

/// What a connection's task knows.
pub(super) struct Connection {
    pub id: ConnectionId,
    pub flow: Flow,
    pub door: Door,
    /// For answers of the door; weak, so that the table alone keeps the connection.
    pub writer: mpsc::WeakSender<Bytes>,
    pub table: mpsc::WeakSender<Command>,
    pub tls: Option<Arc<Tls>>,
    /// What the table was told last of who speaks here: nothing (0), or the alias and one.
    pub told: AtomicU32,
}

/// How it begins.
pub(super) enum Begin {
    /// The peer connected.
    Accepted(TcpStream),
    /// We connect.
    Dial(Dial),
}

/// A far end that we connect to.
#[derive(Debug, Clone)]
pub(super) struct Dial {
    /// Our own address, when the listener has one.
    pub from: Option<IpAddr>,
    /// What we called it: certificates and WebSocket servers want to know. Its address when nobody gave it a name.
    pub name: Arc<str>,
}

/// Pings we sent, answers that came, and line ends that may be half of a ping to us.
#[derive(Default)]
struct Pulse {
    pings: AtomicU32,
    pongs: AtomicU32,
    blank: AtomicU32,
}

impl Pulse {
    /// So many bytes of line ends came: an answer to our ping, or some of the peer's. Says how often we answer.
    fn beat(&self, length: usize) -> u32 {
        if self.pings.load(Ordering::Relaxed) > self.pongs.load(Ordering::Relaxed) {
            self.pongs.fetch_add(1, Ordering::Relaxed);
            return 0;
        }
        let double = u32::try_from(DOUBLE.len()).unwrap_or(1);
        let blank = self.blank.load(Ordering::Relaxed) + u32::try_from(length).unwrap_or(0);
        self.blank.store(blank % double, Ordering::Relaxed);
        // However many came at once, one answer says that we live.
        (blank / double).min(1)
    }

    fn message(&self) {
        self.blank.store(0, Ordering::Relaxed);
    }
}

/// Runs a connection to its end.
pub(super) async fn serve(connection: Connection, begin: Begin, queue: mpsc::Receiver<Bytes>) {
    if let Err(why) = connection.run(begin, queue).await {
        tracing::debug!(remote = %connection.flow.remote, transport = connection.flow.transport.token(), %why, "a connection ended");
    }
    connection.door.broken(connection.flow);
}

fn slow() -> io::Error {
    io::ErrorKind::TimedOut.into()
}

async fn within<T>(span: Duration, step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(span, step).await.unwrap_or_else(|_| Err(slow()))
}

impl Connection {
    async fn run(&self, begin: Begin, queue: mpsc::Receiver<Bytes>) -> io::Result<()> {
        let transport = self.flow.transport;
        let (stream, dial) = match begin {
            Begin::Accepted(stream) => (stream, None),
            Begin::Dial(dial) => (within(CONNECT, connect(dial.from, self.flow.remote)).await?, Some(dial)),
        };
        drop(stream.set_nodelay(true));
        if !transport.is_secure() {
            return self.converse(stream, dial.as_ref(), queue).await;
        }
        let stream = within(HANDSHAKE, self.secure(stream, dial.as_ref())).await?;
        self.converse(stream, dial.as_ref(), queue).await
    }

    async fn secure(&self, stream: TcpStream, dial: Option<&Dial>) -> io::Result<TlsStream<TcpStream>> {
        let missing = || io::Error::new(io::ErrorKind::Unsupported, "TLS is not set up on this side");
        let tls = self.tls.as_ref().ok_or_else(missing)?;
        let Some(dial) = dial else {
            let server = tls.server().ok_or_else(missing)?;
            return Ok(TlsAcceptor::from(server).accept(stream).await?.into());
        };
        let name = ServerName::try_from(dial.name.to_string()).map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))?;
        Ok(TlsConnector::from(tls.client()).connect(name, stream).await?.into())
    }

    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        dial: Option<&Dial>,
        queue: mpsc::Receiver<Bytes>,
    ) -> io::Result<()> {
        let transport = self.flow.transport;
        if !transport.is_websocket() {
            return self.converse_in_bytes(stream, dial.is_some(), queue).await;
        }
        let stream = match dial {
            None => within(HANDSHAKE, websocket::accept(stream)).await?,
            Some(dial) => {
                let scheme = if transport.is_secure() { "wss" } else { "ws" };
                let bare: Result<IpAddr, _> = dial.name.parse();
                let host = match bare {
                    Ok(_) => self.flow.remote.to_string(),
                    Err(_) => format!("{}:{}", dial.name, self.flow.remote.port()),
                };
                within(HANDSHAKE, websocket::connect(stream, &host, scheme)).await?
            }
        };
        self.converse_in_messages(stream, queue).await
    }

    async fn converse_in_bytes<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        dialled: bool,
        queue: mpsc::Receiver<Bytes>,
    ) -> io::Result<()> {
        let pulse = Pulse::default();
        let (reader, writer) = tokio::io::split(stream);
        let first = if dialled { IDLE } else { FIRST };
        let ping = if dialled { PING } else { IDLE };
        tokio::select! {
            read = self.read(reader, first, &pulse) => read,
            written = write(writer, queue, ping, &pulse) => written,
        }
    }

    async fn converse_in_messages<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: WebSocketStream<S>,
        mut queue: mpsc::Receiver<Bytes>,
    ) -> io::Result<()> {
        let (mut sink, mut messages) = stream.split();
        let read = async {
            loop {
                let message = timeout(WEBSOCKET_IDLE, messages.next()).await.map_err(|_| slow())?;
                let Some(message) = message else { return Ok(()) };
                if let Some(bytes) = websocket::unwrapped(message.map_err(websocket::broken)?) {
                    self.take(bytes);
                }
            }
        };
        let write = async {
            loop {
                let message = match timeout(WEBSOCKET_PING, queue.recv()).await {
                    Ok(Some(bytes)) => websocket::wrapped(bytes),
                    Ok(None) => break,
                    Err(_) => tungstenite::Message::Ping(Bytes::new()),
                };
                timeout(WRITE, sink.send(message)).await.map_err(|_| slow())?.map_err(websocket::broken)?;
            }
            // The table dropped this connection; a close that cannot be said is no loss.
            drop(timeout(WRITE, sink.close()).await);
            Ok(())
        };
        tokio::select! {
            read = read => read,
            written = write => written,
        }
    }

    /// One message of a WebSocket.
    fn take(&self, bytes: Bytes) {
        if bytes.iter().any(|byte| !matches!(byte, b'\r' | b'\n')) {
            self.enter(bytes);
        } else if bytes.starts_with(DOUBLE) {
            self.say(Bytes::from_static(PONG));
        }
    }

    async fn read<R: AsyncRead + Unpin>(&self, mut reader: R, first: Duration, pulse: &Pulse) -> io::Result<()> {
        let mut buffer = BytesMut::with_capacity(CHUNK);
        let mut patience = first;
        let mut whole_by: Option<Instant> = None;
        loop {
            if self.take_frames(&mut buffer, pulse)? > 0 {
                (patience, whole_by) = (IDLE, None);
            }
            let limit = match buffer.is_empty() {
                true => Instant::now() + patience,
                false => *whole_by.get_or_insert_with(|| Instant::now() + UNFINISHED),
            };
            buffer.reserve(CHUNK);
            match timeout_at(limit, reader.read_buf(&mut buffer)).await {
                Ok(Ok(0)) => return Ok(()),
                Ok(Ok(_)) => {}
                Ok(Err(why)) => return Err(why),
                Err(_) => return Err(slow()),
            }
        }
    }

    /// Takes every whole message out of the buffer, and says how many there were.
    fn take_frames(&self, buffer: &mut BytesMut, pulse: &Pulse) -> io::Result<usize> {
        let mut taken = 0;
        while !buffer.is_empty() {
            match frame(buffer) {
                Frame::Partial => break,
                Frame::KeepAlive(length) => {
                    if pulse.beat(length) > 0 {
                        self.say(Bytes::from_static(PONG));
                    }
                    buffer.advance(length);
                }
                Frame::Whole(length) => {
                    pulse.message();
                    self.enter(buffer.split_to(length).freeze());
                    taken += 1;
                }
                Frame::Broken(why) => {
                    count(&self.door.counts.malformed);
                    return Err(io::Error::new(io::ErrorKind::InvalidData, why));
                }
            }
        }
        Ok(taken)
    }

    fn enter(&self, bytes: Bytes) {
        match self.door.enter(self.flow, bytes) {
            Entered::Taken { alias } => self.tell_table(alias),
            Entered::Answered(answer) => self.say(answer.bytes),
            Entered::Nothing => {}
        }
    }

    /// The table learns that the peer speaks SIP, and by which other name it may be found; once.
    fn tell_table(&self, alias: Option<u16>) {
        let news = u32::from(alias.unwrap_or(0)) + 1;
        let Some(table) = self.table.upgrade().filter(|_| self.told.load(Ordering::Relaxed) != news) else { return };
        // A table that is too busy is told with the next message.
        if table.try_send(Command::Spoke { id: self.id, alias }).is_ok() {
            self.told.store(news, Ordering::Relaxed);
        }
    }

    fn say(&self, bytes: Bytes) {
        // A full queue loses the answer, as a network would.
        let said = self.writer.upgrade().is_some_and(|writer| writer.try_send(bytes).is_ok());
        count(if said { &self.door.counts.sent } else { &self.door.counts.lost });
    }
}

async fn connect(from: Option<IpAddr>, remote: SocketAddr) -> io::Result<TcpStream> {
    let socket = if remote.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(from) = from.filter(|from| from.is_ipv4() == remote.is_ipv4()) {
        socket.bind(SocketAddr::new(from, 0))?;
    }
    socket.connect(remote).await
}

async fn write<W: AsyncWrite + Unpin>(mut sink: W, mut queue: mpsc::Receiver<Bytes>, ping: Duration, pulse: &Pulse) -> io::Result<()> {
    loop {
        let bytes = match timeout(ping, queue.recv()).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => break,
            Err(_) => {
                let (pings, pongs) = (pulse.pings.fetch_add(1, Ordering::Relaxed), pulse.pongs.load(Ordering::Relaxed));
                if pongs > 0 && pings.saturating_sub(pongs) >= UNANSWERED {
                    return Err(slow());
                }
                Bytes::from_static(DOUBLE)
            }
        };
        let written = async {
            sink.write_all(&bytes).await?;
            sink.flush().await
        };
        within(WRITE, written).await?;
    }
    // The table dropped this connection; TLS says goodbye.
    drop(timeout(WRITE, sink.shutdown()).await);
    Ok(())
}
