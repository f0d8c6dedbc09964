//! A leg whose peer asks its way (RFC 8445) and shakes hands on it (RFC 5764), as browsers do: over real sockets, and in virtual time.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use hotline::control::words::ice::{Ice, Theirs};
use hotline::control::words::media::{Codec, Command, Event, KeyTones, Levels, Reports, Stream, Terms, WorkerId};
use hotline::control::words::srtp::{Fingerprint, Handshake, KeyChance, Security, Setup, SrtpKeys};
use hotline::control::words::{LegId, RoomId};
use hotline::media::rtp::Header;
use hotline::media::rtp::dtls::{Handshaking, Identity, is_record};
use hotline::media::rtp::srtp::{LONGER, Opener, Sealer};
use hotline::media::{Handle, Ports, Report, WorkerConfig, disk, start};
use hotline::stun::{self, Kind, Message, PRIORITY, Received, USE_CANDIDATE, USERNAME, XOR_MAPPED_ADDRESS};

use crate::counting::allocations;
use crate::stage::Stage;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PATIENCE: Duration = Duration::from_secs(20);
const BREATH: Duration = Duration::from_millis(20);

fn ice() -> Ice {
    Ice::new(&KeyChance([5; 32]), b"leg", Theirs::default())
}

fn question(name: &str, chosen: &[u16]) -> Message {
    let message = Message::new(Kind::Request, &[3; 12]).with(USERNAME, format!("{name}:them").as_bytes()).with(PRIORITY, &[1; 4]);
    chosen.iter().fold(message, |message, kind| message.with(*kind, &[])).proved(&stun::key(ice().password().as_bytes())).finished()
}

fn stream(port: u16, theirs: Fingerprint) -> Stream {
    Stream {
        port,
        remote: None,
        codec: Codec::Pcma,
        payload_type: 8,
        telephone_event: None,
        key_tones: KeyTones::Ignored,
        ptime_ms: 20,
        send: true,
        receive: true,
        security: Security::Handshake(Handshake { role: Setup::Passive, theirs }),
        reports: Reports::default(),
        terms: Terms { ice: Some(ice()), ..Terms::default() },
    }
}

/// A server's worker with one leg that hears itself.
fn echo(identity: &Arc<Identity>, theirs: Fingerprint, files: &disk::Handle) -> (Handle, Receiver<Report>) {
    let (reports, seen) = crossbeam_channel::bounded(1_024);
    let config = WorkerConfig {
        id: WorkerId(0),
        bind: HERE,
        ports: Ports::Any(1),
        core: None,
        nice: 0,
        media_timeout: Duration::from_secs(30),
        identity: Some(Arc::clone(identity)),
        levels: Levels::Kept,
    };
    let report = move |report| reports.try_send(report).map_err(crossbeam_channel::TrySendError::into_inner);
    let worker = start(config, files.jobs.clone(), Vec::new(), report).unwrap();
    let leg = LegId(1);
    worker.jobs.send(Command::OpenLeg { room: RoomId(1), leg, stream: stream(worker.ports[0], theirs) }.into()).unwrap();
    worker.jobs.send(Command::Hear { ear: leg, mouth: leg, gain: 1.0 }.into()).unwrap();
    (worker, seen)
}

/// One way of the peer.
struct Way {
    socket: UdpSocket,
    server: SocketAddr,
}

impl Way {
    fn to(port: u16) -> Way {
        let socket = UdpSocket::bind((HERE, 0)).unwrap();
        socket.set_read_timeout(Some(BREATH)).unwrap();
        Way { socket, server: SocketAddr::new(HERE, port) }
    }

    fn send(&self, bytes: &[u8]) {
        self.socket.send_to(bytes, self.server).unwrap();
    }

    fn receive(&self) -> Option<Vec<u8>> {
        let mut bytes = [0; 2_048];
        let (length, from) = self.socket.recv_from(&mut bytes).ok()?;
        assert_eq!(from, self.server);
        Some(bytes[..length].to_vec())
    }

    /// Asks until there is an answer that tells this way's own address.
    fn ask(&self, chosen: &[u16]) {
        let limit = Instant::now() + PATIENCE;
        let request = question(ice().name(), chosen);
        let (own, expected) = (self.socket.local_addr().unwrap(), stun::key(ice().password().as_bytes()));
        loop {
            assert!(Instant::now() < limit, "no answer to a question");
            self.send(request.as_bytes());
            let answers = std::iter::from_fn(|| self.receive()).take(50).find(|bytes| stun::is_stun(bytes));
            let Some(answer) = answers else { continue };
            let answer = Received::parse(&answer).unwrap();
            let request = Received::parse(request.as_bytes()).unwrap();
            let same = Message::success(&request, own);
            assert!(answer.kind() == Kind::Success && answer.is_proved_by(&expected));
            assert_eq!(answer.value(XOR_MAPPED_ADDRESS), Received::parse(same.as_bytes()).unwrap().value(XOR_MAPPED_ADDRESS));
            return;
        }
    }
}

/// The peer's side of the handshake; its keys.
fn shake_hands(way: &Way, identity: &Arc<Identity>, theirs: Fingerprint) -> SrtpKeys {
    let began = Instant::now();
    let mut side = Handshaking::new(Handshake { role: Setup::Active, theirs }, identity);
    loop {
        assert!(began.elapsed() < PATIENCE, "no handshake");
        side.drive(began.elapsed(), Some(way.server));
        while let Some((_, record)) = side.next_record() {
            way.send(&record);
        }
        let Some(bytes) = way.receive().filter(|bytes| is_record(bytes)) else { continue };
        if let Some(keys) = side.take(began.elapsed(), way.server, &bytes) {
            while let Some((_, record)) = side.next_record() {
                way.send(&record);
            }
            return keys;
        }
    }
}

/// Says so many packets, each once something of it came back or a breath has gone; what came back.
fn say(way: &Way, heard_at: &Way, numbers: std::ops::Range<u16>, ciphers: &mut (Sealer, Opener)) -> Vec<u16> {
    let mut back = Vec::new();
    for number in numbers {
        let header = Header { marker: false, payload_type: 8, sequence: number, timestamp: u32::from(number) * 160, ssrc: 77 };
        let mut bytes = [&header.print()[..], &[42; 160 + LONGER]].concat();
        let length = ciphers.0.seal(&mut bytes, 172);
        way.send(&bytes[..length]);
        if let Some(mut packet) = heard_at.receive().filter(|bytes| bytes[0] >= 128) {
            let length = ciphers.1.open(&mut packet).expect("ciphered with our keys");
            let (header, payload) = Header::parse(&packet[..length]).unwrap();
            back.extend((payload == [42; 160]).then_some(header.sequence));
        }
    }
    back
}

#[test]
fn s37_a_peer_asks_its_way_shakes_hands_and_is_heard_where_it_chose_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let files = disk::start(folder.path().to_owned(), |_| {}).unwrap();
    let (ours, theirs) = (Arc::new(Identity::make().unwrap()), Arc::new(Identity::make().unwrap()));
    let (worker, seen) = echo(&ours, theirs.fingerprint, &files);
    let (one, other, stranger) = (Way::to(worker.ports[0]), Way::to(worker.ports[0]), Way::to(worker.ports[0]));
    one.ask(&[]);
    stranger.send(question("somebody", &[USE_CANDIDATE]).as_bytes());
    stranger.send(&[22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
    one.ask(&[]);
    assert!(stranger.receive().is_none(), "who has no name gets nothing");
    let keys = shake_hands(&one, &theirs, ours.fingerprint);
    let mut ciphers = (Sealer::new(keys.suite, &keys.ours), Opener::new(keys.suite, &keys.theirs));
    assert!(say(&one, &one, 0..10, &mut ciphers).is_empty(), "nothing is sent before a way is chosen");
    one.ask(&[USE_CANDIDATE]);
    assert!(say(&one, &one, 10..40, &mut ciphers).len() >= 20);
    let before = say(&stranger, &one, 40..50, &mut ciphers);
    assert!(before.len() <= 2, "a stranger with the keys themselves is not taken: {before:?}");
    other.ask(&[USE_CANDIDATE]);
    assert!(say(&other, &other, 50..80, &mut ciphers).len() >= 20, "the sound goes where it is wished now");
    worker.jobs.send(Command::CloseLeg { leg: LegId(1) }.into()).unwrap();
    let closed = |report| if let Report::Media(Event::LegClosed { stats, .. }) = report { Some(stats) } else { None };
    let stats = std::iter::from_fn(|| seen.recv_timeout(PATIENCE).ok()).find_map(closed).unwrap();
    assert!(stats.received >= 60 && stats.refused >= 12, "{stats:?}");
    drop(worker.jobs);
    worker.thread.join().unwrap();
    drop(files.jobs);
    files.thread.join().unwrap();
}

/// Asks at the present time; how many answers went out.
fn ask(stage: &mut Stage, from: SocketAddr, chosen: &[u16]) -> usize {
    let (mut answers, request) = (0, question(ice().name(), chosen));
    let (now, port) = (Duration::from_micros(stage.now), stage.phones[0].port);
    let mut bytes = [0; 192];
    let length = request.as_bytes().len();
    bytes[..length].copy_from_slice(request.as_bytes());
    let before = allocations();
    stage.mixer.receive(now, port, from, &mut bytes[..length], &mut |_, to, _| answers += usize::from(to == from));
    assert_eq!(allocations() - before, 0, "a question takes no memory");
    answers
}

#[test]
fn s37_a_peer_that_asks_no_more_is_lost_though_its_packets_still_come_and_is_sent_nothing_more() {
    let mut stage = Stage::new();
    let (caller, agent) = (stage.phone(1, Codec::Pcma, Some(440.0)), stage.phone(2, Codec::Pcma, Some(1_000.0)));
    stage.bridge(caller, agent);
    let asks = Stream { remote: None, terms: Terms { ice: Some(ice()), ..Terms::default() }, ..stage.stream(1) };
    stage.order(Command::UpdateLeg { leg: caller, stream: asks });
    stage.run(500);
    assert!(stage.phones[1].heard.is_empty() && stage.phones[0].heard.is_empty(), "nobody has asked");
    let from = stage.phones[0].address;
    assert_eq!(ask(&mut stage, from, &[USE_CANDIDATE]), 1);
    for _ in 0..4 {
        stage.run(20_000);
        assert_eq!(ask(&mut stage, from, &[]), 1);
    }
    assert!(stage.hears(agent, 440.0) && stage.hears(caller, 1_000.0));
    stage.run(29_000);
    let lost = |stage: &Stage| stage.events().filter(|event| matches!(event, Event::MediaLost { leg } if *leg == caller)).count();
    assert_eq!(lost(&stage), 0);
    stage.run(2_000);
    assert_eq!(lost(&stage), 1);
    stage.forget_heard();
    stage.run(2_000);
    assert!(stage.phones.iter().all(|phone| phone.heard.iter().all(|(_, payload)| payload.iter().all(|byte| *byte == 0xD5))));
    assert!(stage.phones[0].heard.is_empty() && lost(&stage) == 1);
}
