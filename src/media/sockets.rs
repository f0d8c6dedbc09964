//! A worker's sockets, poller and clock: non-blocking UDP, level-triggered epoll, one timerfd of 20 ms.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use super::mixer::Behind;
use super::worker::{Ports, StartError};

/// The largest datagram we look at: G.711 of 200 ms is 1,612 bytes; what is longer is cut and refused.
pub const DATAGRAM: usize = 2_048;

const TICK: Duration = Duration::from_millis(20);
const TIMER: u64 = u64::MAX;
const BEHIND: u64 = 1 << 32;
const READY: usize = 256;
const STALE: usize = 1_024;
const ALL_PORTS: usize = 1 << 16;
const NOT_OURS: u32 = u32::MAX;

/// What woke the worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Woken {
    /// So many ticks are due.
    Ticks(u64),
    /// A packet waits on this socket.
    Socket(usize),
    /// A report waits on the socket behind this one.
    Behind(usize),
}

/// The bound ports of one worker.
#[derive(Debug)]
pub struct Sockets {
    bound: Vec<(u16, UdpSocket)>,
    /// The sockets behind those, while reports go there.
    behind: Vec<Option<UdpSocket>>,
    by_port: Vec<u32>,
    poller: Epoll,
    timer: TimerFd,
    ready: Vec<EpollEvent>,
}

impl Sockets {
    /// Binds every port and starts the clock.
    ///
    /// # Errors
    /// The port that could not be bound, or what the system refused.
    pub fn bind(ip: IpAddr, ports: &Ports) -> Result<Sockets, StartError> {
        let wanted: Vec<u16> = match ports {
            Ports::Even(range) => range.clone().filter(|port| port % 2 == 0).collect(),
            Ports::Any(count) => vec![0; *count],
        };
        allow_files(2 * wanted.len() as u64);
        let mut bound = Vec::with_capacity(wanted.len());
        for port in wanted {
            let socket = open(ip, port).map_err(|why| StartError::OurPort { ip, port, why })?;
            bound.push((socket.local_addr()?.port(), socket));
        }
        let mut by_port = vec![NOT_OURS; ALL_PORTS];
        for (index, (port, _)) in bound.iter().enumerate() {
            by_port[usize::from(*port)] = u32::try_from(index).unwrap_or(NOT_OURS);
        }
        let (poller, timer) = clock().map_err(io::Error::from)?;
        let behind = bound.iter().map(|_| None).collect();
        Ok(Sockets { bound, behind, by_port, poller, timer, ready: vec![EpollEvent::empty(); READY] })
    }

    /// The ports, in the order they were bound.
    #[must_use]
    pub fn numbers(&self) -> Vec<u16> {
        self.bound.iter().map(|(port, _)| *port).collect()
    }

    /// Lets packets of a port in; what lay there from before is thrown away.
    pub fn watch(&mut self, port: u16, behind: Behind) {
        let Some(index) = self.index(port) else { return };
        let mut scratch = [0u8; 1];
        let stale = (0..STALE).take_while(|_| self.bound[index].1.recv_from(&mut scratch).is_ok()).count();
        tracing::trace!(port, stale, "RTP port opened");
        let event = EpollEvent::new(EpollFlags::EPOLLIN, index as u64);
        if let Err(why) = self.poller.add(&self.bound[index].1, event) {
            tracing::error!(port, %why, "cannot watch an RTP port");
        }
        self.watch_behind(port, behind);
    }

    /// Binds the port behind this one for reports, or lets it go. Where somebody else has it, reports are sent from nowhere and none come in.
    pub fn watch_behind(&mut self, port: u16, behind: Behind) {
        let Some(index) = self.index(port) else { return };
        match (behind, self.behind[index].is_some()) {
            (Behind::Watched, false) => self.behind[index] = self.open_behind(index),
            // A socket that is closed leaves the poller by itself.
            (Behind::Left, true) => self.behind[index] = None,
            _ => {}
        }
    }

    fn open_behind(&self, index: usize) -> Option<UdpSocket> {
        let own = self.bound[index].1.local_addr().ok()?;
        let socket = open(own.ip(), own.port().checked_add(1)?).ok()?;
        self.poller.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, BEHIND | index as u64)).ok()?;
        Some(socket)
    }

    /// Stops looking at a port.
    pub fn unwatch(&mut self, port: u16) {
        self.watch_behind(port, Behind::Left);
        if let Some(index) = self.index(port)
            && let Err(why) = self.poller.delete(&self.bound[index].1)
        {
            tracing::error!(port, %why, "cannot leave an RTP port");
        }
    }

    /// Waits for packets or the clock; the count is for [`Sockets::woken`].
    pub fn wait(&mut self) -> usize {
        self.poller.wait(&mut self.ready, EpollTimeout::NONE).unwrap_or(0)
    }

    /// The `at`-th thing that [`Sockets::wait`] saw.
    pub fn woken(&self, at: usize) -> Woken {
        match self.ready[at].data() {
            TIMER => Woken::Ticks(self.expirations()),
            index if index & BEHIND != 0 => Woken::Behind(usize::try_from(index & !BEHIND).unwrap_or(usize::MAX)),
            index => Woken::Socket(usize::try_from(index).unwrap_or(usize::MAX)),
        }
    }

    /// Reads one datagram: port, length, source. `None` when there is none.
    pub fn receive(&self, index: usize, into: &mut [u8; DATAGRAM]) -> Option<(u16, usize, SocketAddr)> {
        let (port, socket) = self.bound.get(index)?;
        // An ICMP answer to something we sent shows up here as an error; the next packet is not touched by it.
        let (length, from) = socket.recv_from(into).ok()?;
        Some((*port, length, from))
    }

    /// Reads one report from behind a socket: the port of the sound, length, source.
    pub fn receive_behind(&self, index: usize, into: &mut [u8; DATAGRAM]) -> Option<(u16, usize, SocketAddr)> {
        let (length, from) = self.behind.get(index)?.as_ref()?.recv_from(into).ok()?;
        Some((self.bound[index].0, length, from))
    }

    /// Sends one datagram; false when the kernel did not take it.
    pub fn send(&self, port: u16, to: SocketAddr, packet: &[u8]) -> bool {
        self.socket(port).is_some_and(|socket| socket.send_to(packet, to).is_ok())
    }

    /// The socket of a port of ours, or of one behind it.
    fn socket(&self, port: u16) -> Option<&UdpSocket> {
        if let Some(index) = self.index(port) {
            return Some(&self.bound[index].1);
        }
        self.behind[self.index(port.checked_sub(1)?)?].as_ref()
    }

    fn index(&self, port: u16) -> Option<usize> {
        usize::try_from(self.by_port[usize::from(port)]).ok().filter(|index| *index < self.bound.len())
    }

    fn expirations(&self) -> u64 {
        let mut count = [0u8; 8];
        match nix::unistd::read(&self.timer, &mut count) {
            Ok(8) => u64::from_ne_bytes(count),
            _ => 0,
        }
    }
}

/// Asks for room for so many more open files, as far as the system's hard limit goes; what is missing shows when a port is bound.
fn allow_files(more: u64) {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    let wanted = soft.saturating_add(more).min(hard);
    if let Err(why) = setrlimit(Resource::RLIMIT_NOFILE, wanted, hard) {
        tracing::warn!(%why, wanted, "cannot raise the limit of open files");
    }
}

fn open(ip: IpAddr, port: u16) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(SocketAddr::new(ip, port))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn clock() -> Result<(Epoll, TimerFd), Errno> {
    let poller = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
    timer.set(Expiration::Interval(TimeSpec::from_duration(TICK)), TimerSetTimeFlags::empty())?;
    poller.add(&timer, EpollEvent::new(EpollFlags::EPOLLIN, TIMER))?;
    Ok((poller, timer))
}
