//! Datagrams in.

use std::io;
use std::net::{SocketAddr, UdpSocket as StdSocket};

use bytes::Bytes;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::door::{Door, Entered};
use super::{count, stun};
use crate::control::words::sip::{Flow, ListenerId, Transport};

/// A datagram's most bytes.
const DATAGRAM_MAX: usize = 65_536;
/// What the kernel may hold for us while the process does something else: some ten thousand messages.
const KERNEL_BUFFER: usize = 8 * 1_024 * 1_024;
/// Datagrams read in a row before other tasks get their turn.
const BURST: usize = 64;
/// Shorter datagrams are keep-alives of NAT bindings.
const SHORTEST: usize = 12;

/// A socket that does not block; IPv6 sockets take IPv6 only, so that each address family has its own listener.
pub(super) fn bind(address: SocketAddr) -> io::Result<StdSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // The system may grant less; that is no reason not to start.
    drop(socket.set_recv_buffer_size(KERNEL_BUFFER));
    drop(socket.set_send_buffer_size(KERNEL_BUFFER));
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Reads until the task is aborted. One buffer is read into; each message gets exactly its bytes.
pub(super) async fn read(socket: UdpSocket, listener: ListenerId, door: Door) {
    let mut buffer = vec![0u8; DATAGRAM_MAX];
    while socket.readable().await.is_ok() {
        for _ in 0..BURST {
            let (length, remote) = match socket.try_recv_from(&mut buffer) {
                Ok(datagram) => datagram,
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => break,
                // The answer of the network to a datagram sent before; the socket lives on.
                Err(_) => continue,
            };
            let datagram = &buffer[..length];
            if length < SHORTEST || datagram.iter().all(|byte| matches!(byte, b'\r' | b'\n' | b' ' | 0)) {
                continue;
            }
            if stun::is_stun(datagram) {
                // An answer that cannot go out is asked for again.
                drop(stun::answer(datagram, remote).map(|answer| socket.try_send_to(&answer, remote)));
                continue;
            }
            let flow = Flow { listener, transport: Transport::Udp, remote, connection: None };
            if let Entered::Answered(answer) = door.enter(flow, Bytes::copy_from_slice(datagram)) {
                let sent = socket.try_send_to(&answer.bytes, answer.flow.remote);
                count(if sent.is_ok() { &door.counts.sent } else { &door.counts.lost });
            }
        }
        tokio::task::yield_now().await;
    }
}
