//! Drives a [`Line`]: its sockets, its sound, its clock.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;

use crate::control::sdp::Local;
use crate::control::sip::endpoint::{self, Endpoint, Errand, Outgoing, Registration};
use crate::control::time::Time;
use crate::control::words::directory::{Credentials, Listener};
use crate::control::words::media::{Codec, Levels, WorkerId};
use crate::control::words::sip::{Flow, ListenerId, Transport};
use crate::control::words::speech;
use crate::control::words::srtp::{Far, Fingerprint, KeyChance, KeysInSdp, Protection, Srtp};
use crate::media::rtp::dtls::Identity;
use crate::media::{self, Ports, WorkerConfig, disk};
use crate::net::tls::{Servers, Tls, TlsError};
use crate::net::{self, Found, LocateError};

use super::destination::{BadDestination, Destination, local_ip};
use super::line::{Input, Keeps, Line, Output, Settings, Task};
use super::report::{Event, Report, heard_in};
use super::script::{HangUp, Manners, Step};
use super::wire;

const INPUTS: usize = 1_024;
const UTTERANCES: usize = 256;
const PORTS: usize = 2;
/// A far end from which no packet comes for so long is asked whether it is still there.
const MEDIA_TIMEOUT: Duration = Duration::from_secs(10);
const EXPIRES: Duration = Duration::from_secs(600);
/// A call that is not answered in this time is given up.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// A far end that says nothing for so long is spoken to all the same, unless somebody says otherwise.
const PATIENCE: Duration = Duration::from_secs(15);
/// Silence that counts as the end of the far end's words, likewise.
const PAUSE: Duration = Duration::from_millis(900);

/// Who the phone is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// The user name: From, Contact and digest.
    pub user: String,
    /// For a 401 or 407.
    pub password: Option<String>,
    /// Does it register, so that calls reach it?
    pub registers: Registers,
}

/// Does a phone register?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Registers {
    /// Before anything else.
    Yes,
    /// It only calls.
    No,
}

/// What the phone is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// Calls the destination.
    Call,
    /// Answers so many calls, each after ringing so long.
    Answer {
        /// How long it rings.
        ring: Duration,
        /// How many calls.
        calls: u32,
    },
    /// Refuses so many calls.
    Refuse {
        /// 486, 603 …
        status: u16,
        /// How many.
        calls: u32,
    },
}

/// A phone's options.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whom it calls, or the server where it registers.
    pub destination: Destination,
    /// Who it is.
    pub account: Account,
    /// What it is for.
    pub purpose: Purpose,
    /// What it does in each call.
    pub steps: Vec<Step>,
    /// And how.
    pub manners: Manners,
    /// Silence that counts as the end of the far end's words.
    pub pause: Duration,
    /// Codecs, best first.
    pub codecs: Vec<Codec>,
    /// Headers of the INVITE besides ours.
    pub headers: Vec<(String, String)>,
    /// Where recordings are kept; one file a call.
    pub recordings: PathBuf,
    /// Are there any?
    pub keeps: Keeps,
    /// Whose certificates it believes.
    pub trust: Trust,
    /// Is its sound ciphered?
    pub srtp: Srtp,
    /// And where do the keys come from?
    pub keying: Keying,
}

impl Options {
    /// A phone that only calls: G.711, no steps, recorded, until the far end hangs up or `longest` is over.
    #[must_use]
    pub fn plain(destination: Destination, user: &str, recordings: PathBuf, longest: Duration) -> Options {
        Options {
            destination,
            account: Account { user: user.to_owned(), password: None, registers: Registers::No },
            purpose: Purpose::Call,
            steps: Vec::new(),
            manners: Manners { patience: PATIENCE, hang_up: HangUp::FarEnd, longest },
            pause: PAUSE,
            codecs: vec![Codec::Pcma, Codec::Pcmu],
            headers: Vec::new(),
            recordings,
            keeps: Keeps::Recordings,
            trust: Trust::default(),
            srtp: Srtp::Offered,
            keying: Keying::Usual,
        }
    }
}

/// Where the keys of ciphered sound come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Keying {
    /// The description within TLS; otherwise a handshake.
    #[default]
    Usual,
    /// The description (RFC 4568), over any signalling.
    Sdes,
    /// A handshake (RFC 5763).
    Dtls,
}

/// Whose certificates a phone believes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trust {
    /// Authorities besides the system's, PEM.
    pub authorities: Option<PathBuf>,
    /// Must the far end show a good one?
    pub servers: Servers,
}

impl Default for Trust {
    fn default() -> Trust {
        Trust { authorities: None, servers: Servers::Verified }
    }
}

/// Why a phone could not work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The destination cannot be used.
    #[error(transparent)]
    Destination(#[from] BadDestination),
    /// Its host leads nowhere.
    #[error(transparent)]
    Nowhere(#[from] LocateError),
    /// The authorities cannot be read.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A socket, a file or a thread could not be had.
    #[error("the phone could not start: {0}")]
    Ours(#[from] std::io::Error),
    /// The media worker could not start.
    #[error(transparent)]
    Media(#[from] media::StartError),
}

/// Runs the phone until its task is done; `tell` hears of everything that happens. Dropping `quit`'s sender does nothing;
/// a message on it hangs up and ends the phone.
///
/// # Errors
/// When sockets, threads or files cannot be had. A call that is refused is no error: its report says so.
pub async fn run(options: Options, mut quit: mpsc::Receiver<()>, mut tell: impl FnMut(&Event)) -> Result<Vec<Report>, Error> {
    let clock = Clock::start();
    let mut station = Station::open(&options, 1).await?;
    let seed = getrandom::u64().map_err(std::io::Error::other)?;
    let endpoint = Endpoint::new(clock.now(), seed, endpoint::Settings::new(station.listeners.clone(), "phone", seed));
    let mut line = Line::new(clock.now(), seed, endpoint, station.settings(&options, 0, seed, key_chance()?));
    let mut reports = Vec::new();
    let mut quits = true;
    loop {
        while let Some(output) = line.poll_output() {
            match output {
                Output::Sip(transmit) => station.net.send(transmit),
                Output::Locate(question) => station.net.locate(question),
                Output::Media(job) => drop(station.media.jobs.send(job)),
                Output::Tell(event) => tell(&event),
                Output::Over(report) => reports.push(finished(*report, &options.recordings)),
                Output::Done => return Ok(station.close(reports, &mut line)),
            }
        }
        let due = tokio::time::Instant::from_std(clock.instant(line.poll_timeout().unwrap_or(clock.now() + LONGEST_WAIT)));
        tokio::select! {
            Some(input) = station.inputs.recv() => line.handle(clock.now(), input),
            message = quit.recv(), if quits => match message {
                Some(()) => line.handle(clock.now(), Input::Quit),
                None => quits = false,
            },
            () = tokio::time::sleep_until(due) => line.handle_timeout(clock.now()),
        }
    }
}

/// Keys are told within TLS, or where whoever calls says so; otherwise a handshake agrees on them.
fn keys_in_sdp(options: &Options, transport: Transport) -> KeysInSdp {
    match options.keying {
        Keying::Dtls => KeysInSdp::Withheld,
        Keying::Sdes => KeysInSdp::Written,
        Keying::Usual if transport.is_secure() => KeysInSdp::Written,
        Keying::Usual => KeysInSdp::Withheld,
    }
}

/// What the keys of the phone's calls are made of.
pub(super) fn key_chance() -> std::io::Result<KeyChance> {
    let mut chance = KeyChance::default();
    getrandom::fill(&mut chance.0).map_err(std::io::Error::other)?;
    Ok(chance)
}

/// Adds to a report what the recording tells.
fn finished(mut report: Report, folder: &Path) -> Report {
    report.recording = report.recording.map(|file| folder.join(file));
    report.heard = report.recording.as_deref().and_then(|file| heard_in(file).ok());
    report
}

/// The sockets and threads of a phone, or of many: each line has a SIP socket and an RTP port of its own.
pub(super) struct Station {
    pub(super) net: net::Handle,
    pub(super) media: media::Handle,
    disk: disk::Handle,
    pub(super) listeners: Vec<Listener>,
    target: Flow,
    pub(super) inputs: mpsc::Receiver<Input>,
    fingerprint: Fingerprint,
}

impl Station {
    pub(super) async fn open(options: &Options, lines: u16) -> Result<Station, Error> {
        let there = first_place(&options.destination).await?;
        let ip = local_ip(there.address)?;
        let (inbox, inputs) = mpsc::channel(INPUTS);
        let any = std::net::SocketAddr::new(ip, 0);
        let listener = |line| Listener { id: ListenerId(line), transport: there.transport, bound: any, advertised: any };
        let mut listeners: Vec<Listener> = (0..lines).map(listener).collect();
        let tls = match there.transport.is_secure() {
            true => Some(Arc::new(Tls::dialling(options.trust.authorities.clone(), options.trust.servers)?)),
            false => None,
        };
        let (from_net, messages) = crossbeam_channel::bounded(INPUTS);
        let opening = net::Opening { listeners: listeners.clone(), tls, name_servers: Vec::new() };
        let net = net::start(opening, from_net)?;
        for listener in &mut listeners {
            let bound = net.local_addr(listener.id).unwrap_or(any);
            (listener.bound, listener.advertised) = (bound, bound);
        }
        let target = Flow { listener: ListenerId(0), transport: there.transport, remote: there.address, connection: None };
        let target = net.place(target, &options.destination.place.host).await;
        let heard = inbox.clone();
        std::thread::Builder::new().name("phone-wire".into()).spawn(move || wire::forward(&messages, &heard))?;
        std::fs::create_dir_all(&options.recordings)?;
        let recorded = inbox.clone();
        let disk = disk::start(options.recordings.clone(), move |report| {
            if let media::Report::Media(event) = report {
                drop(recorded.blocking_send(Input::Sound(event)));
            }
        })?;
        let identity = Arc::new(Identity::make().map_err(std::io::Error::other)?);
        let fingerprint = identity.fingerprint;
        let media = start_media((ip, usize::from(lines) * PORTS), &disk, inbox, identity)?;
        Ok(Station { net, media, disk, listeners, target, inputs, fingerprint })
    }

    /// What the line with this number needs to know.
    pub(super) fn settings(&self, options: &Options, line: u16, session: u64, chance: KeyChance) -> Settings {
        let destination = &options.destination;
        let target = Flow { listener: ListenerId(line), ..self.target };
        let account = &options.account;
        let credentials = account.password.clone().map(|password| Credentials { user: account.user.clone(), password });
        let record = destination.server().replacen(':', &format!(":{}@", account.user), 1);
        let registration = (account.registers == Registers::Yes).then(|| Registration {
            target: target.into(),
            registrar: destination.server(),
            record: record.clone(),
            user: account.user.clone(),
            expires: EXPIRES,
            errand: Errand::Bind,
            credentials: credentials.clone(),
        });
        let outgoing = Outgoing {
            target: target.into(),
            request_uri: destination.uri.clone(),
            from: format!("<{record}>"),
            to: format!("<{}>", destination.uri),
            headers: options.headers.clone(),
            sdp: bytes::Bytes::new(),
            credentials,
            manner: crate::control::sip::endpoint::Manner::default(),
        };
        let task = match options.purpose {
            Purpose::Call => Task::Call(Box::new(outgoing)),
            Purpose::Answer { ring, calls } => Task::Answer { ring, calls },
            Purpose::Refuse { status, calls } => Task::Refuse { status, calls },
        };
        let port = self.media.ports.get(usize::from(line) * PORTS).copied().unwrap_or(0);
        let address = self.listeners[usize::from(line)].bound.ip();
        let keys = keys_in_sdp(options, target.transport);
        let protection = Protection { srtp: options.srtp, keys, chance, fingerprint: Some(self.fingerprint), far: Far::Telephone };
        let local = Local { session: session >> 1, protection, ..Local::plain(address, port, options.codecs.clone()) };
        Settings {
            task,
            registration,
            local,
            steps: options.steps.clone(),
            manners: options.manners,
            pause: options.pause,
            keeps: options.keeps,
        }
    }

    /// Sends what is left to send and lets the threads end.
    fn close(self, reports: Vec<Report>, line: &mut Line) -> Vec<Report> {
        while let Some(output) = line.poll_output() {
            if let Output::Sip(transmit) = output {
                self.net.send(transmit);
            }
        }
        self.end();
        reports
    }

    /// Lets the threads end.
    pub(super) fn end(self) {
        drop(self.media.jobs);
        drop(self.disk.jobs);
        drop(self.inputs);
        tokio::task::block_in_place(|| {
            drop(self.media.thread.join());
            drop(self.disk.thread.join());
        });
    }
}

/// Where the phone goes: the place that DNS prefers.
async fn first_place(destination: &Destination) -> Result<Found, Error> {
    let answer = net::Resolver::new(&[])?.locate(&destination.place, &Transport::ALL).await?;
    let first = answer.places.into_iter().min_by_key(|place| (place.priority, std::cmp::Reverse(place.weight)));
    first.ok_or_else(|| LocateError::Unknown(destination.host.clone()).into())
}

/// One worker whose voice activity tells when the far end falls silent. What a recognizer would get ends here.
fn start_media(
    (ip, ports): (std::net::IpAddr, usize),
    disk: &disk::Handle,
    inbox: mpsc::Sender<Input>,
    identity: Arc<Identity>,
) -> Result<media::Handle, Error> {
    let (utterances, heard) = crossbeam_channel::bounded::<speech::Job>(UTTERANCES);
    let silences = inbox.clone();
    std::thread::Builder::new().name("phone-ear".into()).spawn(move || {
        for job in heard {
            let over = match job {
                speech::Job::Finish { leg, .. } | speech::Job::Cancel { leg, .. } => Some(leg),
                speech::Job::Begin { .. } | speech::Job::Frames { .. } => None,
            };
            if let Some(leg) = over
                && silences.blocking_send(Input::FarEnded(leg)).is_err()
            {
                return;
            }
        }
    })?;
    let (id, ports, identity) = (WorkerId(0), Ports::Any(ports), Some(identity));
    let (nice, levels) = (0, Levels::Kept);
    let config = WorkerConfig { id, bind: ip, ports, core: None, nice, media_timeout: MEDIA_TIMEOUT, identity, levels };
    #[expect(clippy::result_large_err, reason = "what finds the inbox full comes back whole, as from every channel")]
    let report = move |report| match report {
        media::Report::Media(event) => inbox.try_send(Input::Sound(event)).map_err(|back| match back.into_inner() {
            Input::Sound(event) => media::Report::Media(event),
            _ => unreachable!("only sound was sent"),
        }),
        media::Report::Speech(_) => Ok(()),
    };
    let handle = media::start(config, disk.jobs.clone(), vec![utterances], report)?;
    Ok(handle)
}

/// Wall time at start plus monotonic time since.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    began: Instant,
    epoch: Time,
}

impl Clock {
    pub(super) fn start() -> Clock {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock { began: Instant::now(), epoch: Time(u64::try_from(wall.as_micros()).unwrap_or(u64::MAX)) }
    }

    pub(super) fn now(&self) -> Time {
        self.epoch + self.began.elapsed()
    }

    pub(super) fn instant(&self, at: Time) -> Instant {
        self.began + at.since(self.epoch)
    }
}
