//! One stream: messages cut by Content-Length, keep-alives answered, silence and garbage end it.

use std::io;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::count;
use super::door::Door;
use crate::control::sip::message::{Frame, frame};
use crate::control::words::sip::Flow;

/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// A silent connection is closed after so long; registrations, at most an hour apart, keep it open.
const IDLE: Duration = Duration::from_secs(3_900);
/// A message that has begun must be whole after so long.
const UNFINISHED: Duration = Duration::from_secs(32);
/// How long a peer may not read before his connection ends.
const WRITE: Duration = Duration::from_secs(10);
/// What is read at once.
const CHUNK: usize = 8_192;
/// The answer to a double line end (RFC 5626 §4.4.1).
const PONG: &[u8] = b"\r\n";

/// What a connection's task knows.
pub(super) struct Connection {
    pub flow: Flow,
    pub door: Door,
    pub writer: mpsc::Sender<Bytes>,
}

/// Runs a connection to its end; makes it first when there is no stream yet.
pub(super) async fn serve(connection: Connection, stream: Option<TcpStream>, queue: mpsc::Receiver<Bytes>) {
    let Connection { flow, door, writer } = connection;
    let stream = match stream {
        Some(stream) => Ok(stream),
        None => timeout(CONNECT, TcpStream::connect(flow.remote)).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
    };
    let outcome = match stream {
        Ok(stream) => {
            drop(stream.set_nodelay(true));
            let (reader, sink) = stream.into_split();
            let writer = writer.downgrade();
            tokio::select! {
                read = read(reader, flow, &door, &writer) => read,
                written = write(sink, queue) => written,
            }
        }
        Err(why) => Err(why),
    };
    if let Err(why) = outcome {
        tracing::debug!(remote = %flow.remote, %why, "a TCP connection ended");
    }
    door.broken(flow);
}

async fn write(mut sink: OwnedWriteHalf, mut queue: mpsc::Receiver<Bytes>) -> io::Result<()> {
    while let Some(bytes) = queue.recv().await {
        timeout(WRITE, sink.write_all(&bytes)).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    }
    // The table dropped this connection.
    Ok(())
}

async fn read(mut reader: OwnedReadHalf, flow: Flow, door: &Door, writer: &mpsc::WeakSender<Bytes>) -> io::Result<()> {
    let mut buffer = BytesMut::with_capacity(CHUNK);
    loop {
        take_frames(&mut buffer, flow, door, writer)?;
        let patience = if buffer.is_empty() { IDLE } else { UNFINISHED };
        buffer.reserve(CHUNK);
        match timeout(patience, reader.read_buf(&mut buffer)).await {
            Ok(Ok(0)) => return Ok(()),
            Ok(Ok(_)) => {}
            Ok(Err(why)) => return Err(why),
            Err(_) => return Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// Takes every whole message out of the buffer.
fn take_frames(buffer: &mut BytesMut, flow: Flow, door: &Door, writer: &mpsc::WeakSender<Bytes>) -> io::Result<()> {
    let say = |bytes: Bytes| {
        // A full queue loses the answer, as a network would.
        let said = writer.upgrade().is_some_and(|writer| writer.try_send(bytes).is_ok());
        count(if said { &door.counts.sent } else { &door.counts.lost });
    };
    loop {
        match frame(buffer) {
            Frame::Partial => return Ok(()),
            Frame::KeepAlive(length) => {
                if buffer.starts_with(b"\r\n\r\n") {
                    say(Bytes::from_static(PONG));
                }
                buffer.advance(length);
            }
            Frame::Whole(length) => {
                let answer = door.enter(flow, buffer.split_to(length).freeze());
                answer.into_iter().for_each(|answer| say(answer.bytes));
            }
            Frame::Broken(why) => {
                count(&door.counts.malformed);
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
        }
        if buffer.is_empty() {
            return Ok(());
        }
    }
}
