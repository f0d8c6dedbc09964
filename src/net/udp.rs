//! Datagrams in: one poller for all UDP sockets, read by whoever waits for them. The server's rules read for themselves, since
//! handing each datagram from thread to thread costs more than reading it; phones have a thread do it.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use socket2::{Domain, Protocol, Socket, Type};

use super::door::{Door, Entered};
use super::{count, stun};
use crate::control::words::sip::{Flow, ListenerId, Transport};
use crate::inlet::Bell;

/// A datagram's most bytes.
const DATAGRAM_MAX: usize = 65_536;
/// What the kernel may hold for us while the process does something else: some ten thousand messages.
const KERNEL_BUFFER: usize = 8 * 1_024 * 1_024;
/// Datagrams of one socket read in a row. It is more than the rules take in the meantime, so that what comes too fast waits at the
/// door, which can refuse it, and not in the kernel, which cannot.
const BURST: usize = 512;
/// Shorter datagrams are keep-alives of NAT bindings.
const SHORTEST: usize = 12;
/// Sockets that one look may find ready; others are found by the next.
const READY: usize = 16;
/// The longest wait of one look, in milliseconds: the system's number has an end.
const LONGEST: u128 = 60_000;
/// The poller's mark of the bell; sockets are marked by their place in the list.
const BELL: u64 = u64::MAX;

/// A socket that does not block; IPv6 sockets take IPv6 only, so that each address family has its own listener.
pub(super) fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
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

/// The UDP sockets; what comes in goes through the door.
#[derive(Debug)]
pub struct Datagrams {
    poller: Epoll,
    bell: Option<Bell>,
    sockets: Vec<(ListenerId, UdpSocket)>,
    door: Door,
    /// One datagram is read into it; each message gets exactly its bytes.
    buffer: Vec<u8>,
}

impl Datagrams {
    pub(super) fn new(sockets: Vec<(ListenerId, UdpSocket)>, door: Door) -> io::Result<Datagrams> {
        let poller = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        for (at, (_, socket)) in sockets.iter().enumerate() {
            poller.add(socket, EpollEvent::new(EpollFlags::EPOLLIN, at as u64))?;
        }
        Ok(Datagrams { poller, bell: None, sockets, door, buffer: vec![0; DATAGRAM_MAX] })
    }

    /// Wakes when this bell is rung too.
    ///
    /// # Errors
    /// What the system says.
    pub fn heed(&mut self, bell: &Bell) -> io::Result<()> {
        self.poller.add(bell, EpollEvent::new(EpollFlags::EPOLLIN, BELL))?;
        self.bell = Some(bell.clone());
        Ok(())
    }

    /// Waits until a datagram comes, the bell rings or the time is over (`None`: without end), and takes in what came.
    pub fn wait(&mut self, longest: Option<Duration>) {
        // Up to a millisecond late, never early: who waits for a moment finds it come.
        let timeout = longest.map_or(EpollTimeout::NONE, |span| {
            EpollTimeout::try_from(span.as_micros().div_ceil(1_000).min(LONGEST)).unwrap_or(EpollTimeout::ZERO)
        });
        let mut ready = [EpollEvent::empty(); READY];
        // A signal may cut the wait short: nothing is ready then.
        let found = self.poller.wait(&mut ready, timeout).unwrap_or(0);
        for event in &ready[..found] {
            match usize::try_from(event.data()) {
                Ok(at) if at < self.sockets.len() => self.read(at),
                _ => self.bell.iter().for_each(Bell::silence),
            }
        }
    }

    fn read(&mut self, at: usize) {
        for _ in 0..BURST {
            let (length, remote) = match self.sockets[at].1.recv_from(&mut self.buffer) {
                Ok(datagram) => datagram,
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => return,
                // The answer of the network to a datagram sent before; the socket lives on.
                Err(_) => continue,
            };
            self.take(at, length, remote);
        }
    }

    fn take(&self, at: usize, length: usize, remote: SocketAddr) {
        let datagram = &self.buffer[..length];
        if length < SHORTEST || datagram.iter().all(|byte| matches!(byte, b'\r' | b'\n' | b' ' | 0)) {
            return;
        }
        let (listener, socket) = &self.sockets[at];
        if stun::is_stun(datagram) {
            // An answer that cannot go out is asked for again.
            drop(stun::answer(datagram, remote).map(|answer| socket.send_to(answer.as_bytes(), remote)));
            return;
        }
        let flow = Flow { listener: *listener, transport: Transport::Udp, remote, connection: None };
        if let Entered::Answered(answer) = self.door.enter(flow, Bytes::copy_from_slice(datagram)) {
            let sent = socket.send_to(&answer.bytes, answer.flow.remote);
            count(if sent.is_ok() { &self.door.counts.sent } else { &self.door.counts.lost });
        }
    }
}

/// A thread that reads; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Reader {
    bell: Bell,
    over: Arc<AtomicBool>,
}

impl Reader {
    /// Starts to read.
    pub(super) fn start(mut datagrams: Datagrams) -> io::Result<Reader> {
        let reader = Reader { bell: Bell::new()?, over: Arc::default() };
        datagrams.heed(&reader.bell)?;
        let (bell, over) = (reader.bell.clone(), Arc::clone(&reader.over));
        let read = move || {
            bell.doze();
            while !over.load(Ordering::Acquire) {
                datagrams.wait(None);
            }
        };
        // Nobody waits for its end: it holds nothing that must be saved.
        drop(std::thread::Builder::new().name("sip".into()).spawn(read)?);
        Ok(reader)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        self.bell.ring();
    }
}
