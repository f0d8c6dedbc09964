//! All rooms and legs of one worker, without sockets or a clock: commands and packets in, packets and reports out.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use crossbeam_channel::Sender;

use super::worker::Counts;
use super::{Job, Report, disk};
use crate::control::words::speech;

/// What a worker tells its mixer at the start.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Without a packet for this long from a peer that should send, the leg is lost.
    pub media_timeout: Duration,
    /// Chance for SSRCs and first sequence numbers.
    pub seed: u64,
}

/// What a command did to the ports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Door {
    /// Nothing.
    Unchanged,
    /// A leg took this port.
    Opened(u16),
    /// A leg left this port.
    Closed(u16),
}

/// Takes a packet on its way: from which of our ports, to whom, what.
pub type Wire<'a> = dyn FnMut(u16, SocketAddr, &[u8]) + 'a;

/// The rooms and legs of one worker.
pub struct Mixer {
    settings: Settings,
    disk: Sender<disk::Job>,
    speech: Vec<Sender<speech::Job>>,
    reports: VecDeque<Report>,
}

impl Mixer {
    /// A mixer without rooms.
    #[must_use]
    pub fn new(settings: Settings, disk: Sender<disk::Job>, speech: Vec<Sender<speech::Job>>) -> Mixer {
        Mixer { settings, disk, speech, reports: VecDeque::new() }
    }

    /// Carries out a command.
    pub fn handle(&mut self, _now: Duration, _job: Job) -> Door {
        Door::Unchanged
    }

    /// Takes a datagram.
    pub fn receive(&mut self, _now: Duration, _port: u16, _from: SocketAddr, _datagram: &[u8], _wire: &mut Wire<'_>) {}

    /// Makes the next 20 ms.
    pub fn tick(&mut self, _now: Duration, _wire: &mut Wire<'_>) {}

    /// Adds what was counted since the last call.
    pub fn counted(&mut self, _counts: &Counts) {}

    /// The next report, if there is one.
    pub fn next_report(&mut self) -> Option<Report> {
        self.reports.pop_front()
    }
}
