//! One media thread: its sockets, its clock, its rooms.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError};

use super::mixer::{Door, Mixer, Settings};
use super::quality_counts::QualityCounts;
use super::rtp::dtls::Identity;
use super::sockets::{DATAGRAM, Sockets, Woken};
use super::{Job, Report, disk, priority};
use crate::control::words::media::{Levels, WorkerId};
use crate::control::words::speech;

/// Jobs a worker may have waiting.
pub const JOBS: usize = 8_192;

/// Reports kept while nobody takes them.
const KEPT_REPORTS: usize = 16_384;
/// Ticks made up for at once after the thread was kept from its core; more are skipped.
const MADE_UP_TICKS: u64 = 5;

/// Which UDP ports a worker binds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ports {
    /// Every even port of the range (RFC 3550 §11).
    Even(RangeInclusive<u16>),
    /// So many ports of the system's choice: phones and tests.
    Any(usize),
}

/// What a worker needs to know.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// Its name; the thread is called `media-<id>`.
    pub id: WorkerId,
    /// The local address of its sockets.
    pub bind: IpAddr,
    /// Its ports, all bound at start.
    pub ports: Ports,
    /// The core it stays on, when it should.
    pub core: Option<usize>,
    /// Its niceness: below 0 it outranks speech work (needs the right to do so; without it the worker stays at 0).
    pub nice: i32,
    /// Without a packet for this long from a peer that should send, the leg is lost.
    pub media_timeout: Duration,
    /// Our certificate in the handshakes of DTLS-SRTP.
    pub identity: Option<Arc<Identity>>,
    /// Whether those who speak low are heard louder.
    pub levels: Levels,
}

/// What a worker counts for the metrics; read at any time from any thread.
#[derive(Debug, Default)]
pub struct Counts {
    /// Datagrams taken from the sockets.
    pub received: AtomicU64,
    /// Packets given to the sockets.
    pub sent: AtomicU64,
    /// Packets the kernel did not take.
    pub unsent: AtomicU64,
    /// Ticks done.
    pub ticks: AtomicU64,
    /// Ticks that began 20 ms or more too late and were made up for.
    pub late_ticks: AtomicU64,
    /// Legs open now.
    pub legs: AtomicU64,
    /// Samples a recording lacks because the disk thread was full.
    pub recording_gaps: AtomicU64,
    /// Utterances given up because the recognizer was full.
    pub speech_overloads: AtomicU64,
    /// What legs sounded like.
    pub quality: QualityCounts,
    /// Reports dropped because nobody took them for too long.
    pub lost_reports: AtomicU64,
}

/// A running worker.
#[derive(Debug)]
pub struct Handle {
    /// Where jobs go; the thread ends when the last sender is dropped.
    pub jobs: Sender<Job>,
    /// The ports that are bound, for the rules to lease.
    pub ports: Vec<u16>,
    /// What it counts while it runs.
    pub counts: Arc<Counts>,
    /// To be joined at shutdown.
    pub thread: JoinHandle<()>,
}

/// Why a worker could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port is taken or may not be used.
    #[error("cannot bind UDP {ip}:{port} for RTP: {why}; free the port or change the worker's port range")]
    OurPort {
        /// The local address.
        ip: IpAddr,
        /// The port.
        port: u16,
        /// What the system said.
        why: io::Error,
    },
    /// The system refused a thread, a timer or a poller.
    #[error("cannot start a media thread: {0}")]
    OurThread(#[from] io::Error),
}

/// Starts one worker. `disk` is the disk thread's inbox, `speech` has one sender a recognizer thread (none = no engine; a leg
/// stays with one thread). `report` must not block: what it gives back is offered again at the next tick.
///
/// # Errors
/// When a port cannot be bound or the system refuses a thread.
pub fn start(
    config: WorkerConfig,
    disk: Sender<disk::Job>,
    speech: Vec<Sender<speech::Job>>,
    report: impl FnMut(Report) -> Result<(), Report> + Send + 'static,
) -> Result<Handle, StartError> {
    let (jobs, inbox) = crossbeam_channel::bounded(JOBS);
    let counts = Arc::new(Counts::default());
    let sockets = Sockets::bind(config.bind, &config.ports)?;
    let ports = sockets.numbers();
    let mixer = Mixer::new(
        Settings {
            media_timeout: config.media_timeout,
            seed: u64::from(config.id.0),
            identity: config.identity.clone(),
            levels: config.levels,
        },
        disk,
        speech,
    );
    let worker = Worker {
        sockets,
        mixer,
        inbox,
        counts: Arc::clone(&counts),
        report,
        kept: VecDeque::with_capacity(KEPT_REPORTS),
        started: Instant::now(),
    };
    let name = format!("media-{}", config.id.0);
    let thread = std::thread::Builder::new().name(name).spawn(move || worker.run(&config))?;
    Ok(Handle { jobs, ports, counts, thread })
}

struct Worker<F> {
    sockets: Sockets,
    mixer: Mixer,
    inbox: Receiver<Job>,
    counts: Arc<Counts>,
    report: F,
    kept: VecDeque<Report>,
    started: Instant,
}

impl<F: FnMut(Report) -> Result<(), Report>> Worker<F> {
    fn run(mut self, config: &WorkerConfig) {
        if let Some(core) = config.core
            && !priority::stay_on(core)
        {
            tracing::warn!(core, worker = config.id.0, "the system does not let the media thread choose its core");
        }
        if config.nice != 0 && !priority::set_nice(config.nice) {
            tracing::info!(nice = config.nice, worker = config.id.0, "the media thread keeps its niceness: CAP_SYS_NICE is missing");
        }
        let mut datagram = [0u8; DATAGRAM];
        loop {
            let woken = self.sockets.wait();
            if self.take_jobs() == Inbox::Closed {
                self.mixer.close_all();
                self.hand_over();
                break;
            }
            for at in 0..woken {
                match self.sockets.woken(at) {
                    Woken::Ticks(due) => self.ticks(due),
                    Woken::Socket(index) => self.receive(index, &mut datagram),
                    Woken::Behind(index) => self.receive_report(index, &mut datagram),
                }
            }
            self.hand_over();
        }
    }

    fn take_jobs(&mut self) -> Inbox {
        loop {
            match self.inbox.try_recv() {
                Ok(job) => match self.mixer.handle(self.started.elapsed(), job) {
                    Door::Unchanged => {}
                    Door::Opened(port, behind) => self.sockets.watch(port, behind),
                    Door::Changed(port, behind) => self.sockets.watch_behind(port, behind),
                    Door::Closed(port) => self.sockets.unwatch(port),
                },
                Err(TryRecvError::Empty) => return Inbox::Open,
                Err(TryRecvError::Disconnected) => return Inbox::Closed,
            }
        }
    }

    fn receive(&mut self, index: usize, datagram: &mut [u8; DATAGRAM]) {
        let Some((port, length, from)) = self.sockets.receive(index, datagram) else {
            return;
        };
        let now = self.started.elapsed();
        let (sockets, counts) = (&self.sockets, &*self.counts);
        counts.received.fetch_add(1, Ordering::Relaxed);
        self.mixer.receive(now, port, from, &mut datagram[..length], &mut |port, to, packet| send(sockets, counts, port, to, packet));
    }

    fn receive_report(&mut self, index: usize, datagram: &mut [u8; DATAGRAM]) {
        let Some((port, length, from)) = self.sockets.receive_behind(index, datagram) else { return };
        self.mixer.receive_report(self.started.elapsed(), port, from, &mut datagram[..length]);
    }

    fn ticks(&mut self, due: u64) {
        let now = self.started.elapsed();
        let (sockets, counts) = (&self.sockets, &*self.counts);
        counts.late_ticks.fetch_add(due.saturating_sub(1), Ordering::Relaxed);
        for _ in 0..due.min(MADE_UP_TICKS) {
            self.mixer.tick(now, &mut |port, to, packet| send(sockets, counts, port, to, packet));
            counts.ticks.fetch_add(1, Ordering::Relaxed);
        }
        self.mixer.counted(counts);
    }

    /// Offers reports until one is refused; the rest waits for the next time.
    fn hand_over(&mut self) {
        while let Some(report) = self.mixer.next_report() {
            if self.kept.len() < KEPT_REPORTS {
                self.kept.push_back(report);
            } else {
                self.counts.lost_reports.fetch_add(1, Ordering::Relaxed);
            }
        }
        while let Some(report) = self.kept.pop_front() {
            if let Err(refused) = (self.report)(report) {
                self.kept.push_front(refused);
                break;
            }
        }
    }
}

#[derive(PartialEq, Eq)]
enum Inbox {
    Open,
    Closed,
}

fn send(sockets: &Sockets, counts: &Counts, port: u16, to: SocketAddr, packet: &[u8]) {
    let counter = if sockets.send(port, to, packet) { &counts.sent } else { &counts.unsent };
    counter.fetch_add(1, Ordering::Relaxed);
}
