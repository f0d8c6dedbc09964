//! Datagrams in.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::door::Door;
use crate::control::words::sip::{Flow, ListenerId, Transport};

/// Kernel buffers, so that a burst of calls waits instead of being dropped.
const KERNEL_BUFFER: usize = 4 << 20;
/// The longest datagram.
const DATAGRAM: usize = 65_535;
/// Datagrams taken before other tasks get their turn.
const BATCH: usize = 64;

/// Binds a socket that never waits.
pub fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    let options = socket2::SockRef::from(&socket);
    // The system may allow less: then bursts are repeated by their senders.
    let _ = options.set_recv_buffer_size(KERNEL_BUFFER);
    let _ = options.set_send_buffer_size(KERNEL_BUFFER);
    Ok(socket)
}

/// Reads until it is aborted.
pub fn read(listener: ListenerId, socket: UdpSocket, door: Door) -> io::Result<JoinHandle<()>> {
    let socket = tokio::net::UdpSocket::from_std(socket)?;
    Ok(tokio::spawn(async move {
        let mut buffer = vec![0u8; DATAGRAM];
        loop {
            if let Err(error) = socket.readable().await {
                tracing::error!(%error, "a SIP socket cannot be read any more");
                return;
            }
            for _ in 0..BATCH {
                match socket.try_recv_from(&mut buffer) {
                    Ok((length, remote)) => take(&socket, &door, listener, remote, &buffer[..length]),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    // An ICMP answer to something sent before; the socket lives on.
                    Err(error) => tracing::debug!(%error, "a datagram sent before met nobody"),
                }
            }
        }
    }))
}

/// The shortest thing that could be a message; shorter datagrams are keep-alives (RFC 5626).
const SHORTEST: usize = 16;

fn take(socket: &tokio::net::UdpSocket, door: &Door, listener: ListenerId, remote: SocketAddr, bytes: &[u8]) {
    if bytes.len() < SHORTEST {
        return;
    }
    let flow = Flow { listener, transport: Transport::Udp, remote, connection: None };
    if let Some(refusal) = door.take(flow, Bytes::copy_from_slice(bytes)) {
        let _ = socket.try_send_to(&refusal.bytes, refusal.flow.remote);
    }
}
