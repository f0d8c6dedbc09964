//! Two workers talk over real loopback sockets on ports of the system's choice.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crossbeam_channel::Receiver;
use hotline::control::words::media::{BargeIn, Codec, Command, Event, KeyTones, Levels, PlayOutcome, Reports, Stream, Terms, WorkerId};
use hotline::control::words::srtp::Security;
use hotline::control::words::{LegId, PlayId, RecordingId, RoomId};
use hotline::media::tone::share;
use hotline::media::{Audio, Handle, Job, Ports, RATE, Report, Sound, WorkerConfig, disk, start};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PATIENCE: Duration = Duration::from_secs(20);

fn worker(id: u16, disk: &disk::Handle) -> (Handle, Receiver<Report>) {
    let (reports, seen) = crossbeam_channel::bounded(1_024);
    let config = WorkerConfig {
        id: WorkerId(id),
        bind: HERE,
        ports: Ports::Any(2),
        core: None,
        nice: 0,
        media_timeout: Duration::from_secs(30),
        identity: None,
        levels: Levels::Kept,
    };
    let handle = start(config, disk.jobs.clone(), Vec::new(), move |report| {
        reports.try_send(report).map_err(crossbeam_channel::TrySendError::into_inner)
    })
    .unwrap();
    (handle, seen)
}

fn stream(port: u16, remote: u16) -> Stream {
    Stream {
        port,
        remote: Some(SocketAddr::new(HERE, remote)),
        codec: Codec::Pcma,
        payload_type: 8,
        telephone_event: Some(101),
        key_tones: KeyTones::Ignored,
        ptime_ms: 20,
        send: true,
        receive: true,
        security: Security::Plain,
        reports: Reports::default(),
        terms: Terms::default(),
    }
}

/// Waits for reports until one fits.
fn until(seen: &Receiver<Report>, fits: impl Fn(&Event) -> bool) {
    loop {
        match seen.recv_timeout(PATIENCE).expect("the report comes in time") {
            Report::Media(event) if fits(&event) => return,
            _ => {}
        }
    }
}

#[test]
fn a_phone_of_ours_plays_presses_and_records_against_an_echo() {
    let folder = tempfile::tempdir().unwrap();
    let (files, written) = crossbeam_channel::bounded(16);
    let writer = disk::start(folder.path().to_owned(), move |report| files.send(report).unwrap()).unwrap();
    let (echo, echo_seen) = worker(0, &writer);
    let (phone, phone_seen) = worker(1, &writer);
    let (room, far, near) = (RoomId(1), LegId(1), LegId(2));
    let order = |handle: &Handle, command: Command| handle.jobs.send(command.into()).unwrap();
    order(&echo, Command::OpenLeg { room, leg: far, stream: stream(echo.ports[0], phone.ports[0]) });
    order(&echo, Command::Hear { ear: far, mouth: far, gain: 1.0 });
    order(&phone, Command::OpenLeg { room, leg: near, stream: stream(phone.ports[0], echo.ports[0]) });
    order(&phone, Command::StartRecording { room, recording: RecordingId(1), customer: near, path: "phone.wav".into() });
    let play = Command::Play { leg: near, play: PlayId(1), prompts: Vec::new(), repeat: false, barge_in: BargeIn::Off };
    phone.jobs.send(Job { command: play, sounds: vec![Sound::ready(Audio::tone(600, 1_000))] }).unwrap();
    until(&phone_seen, |event| matches!(event, Event::PlayFinished { outcome: PlayOutcome::Done, .. }));
    order(&phone, Command::SendKeys { leg: near, keys: "42#".to_owned() });
    let mut keys = String::new();
    while keys.len() < 3 {
        if let Report::Media(Event::KeyPressed { key, .. }) = echo_seen.recv_timeout(PATIENCE).unwrap() {
            keys.push(key);
        }
    }
    assert_eq!(keys, "42#");
    order(&phone, Command::CloseLeg { leg: near });
    until(&phone_seen, |event| matches!(event, Event::LegClosed { stats, .. } if stats.received >= 45 && stats.sent >= 50));
    order(&echo, Command::CloseLeg { leg: far });
    until(&echo_seen, |event| matches!(event, Event::LegClosed { stats, .. } if stats.lost == 0));
    for worker in [echo, phone] {
        drop(worker.jobs);
        worker.thread.join().unwrap();
    }
    drop(writer.jobs);
    writer.thread.join().unwrap();
    assert!(matches!(written.try_recv(), Ok(Report::Media(Event::RecordingFinished { .. }))));
    let samples: Vec<i16> = hound::WavReader::open(folder.path().join("phone.wav")).unwrap().samples().map(Result::unwrap).collect();
    let left: Vec<i16> = samples.iter().copied().step_by(2).take(8_000).collect();
    assert!(share(&left[1_600..], RATE, 600.0) > 0.9, "the echo came back: {}", share(&left[1_600..], RATE, 600.0));
}

#[test]
fn a_taken_port_is_named_in_the_error() {
    let taken = std::net::UdpSocket::bind((HERE, 0)).unwrap();
    let port = taken.local_addr().unwrap().port() & !1;
    let held = std::net::UdpSocket::bind((HERE, port)).ok();
    let config = WorkerConfig {
        id: WorkerId(9),
        bind: HERE,
        ports: Ports::Even(port..=port),
        core: None,
        nice: 0,
        media_timeout: PATIENCE,
        identity: None,
        levels: Levels::Kept,
    };
    let (disk, _keep) = crossbeam_channel::bounded(1);
    let error = start(config, disk, Vec::new(), |_| Ok(())).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains(&port.to_string()), "{error}");
    drop((taken, held));
}

#[test]
fn a_worker_that_ends_closes_its_recordings_with_their_last_sound() {
    let folder = tempfile::tempdir().unwrap();
    let (files, written) = crossbeam_channel::bounded(16);
    let writer = disk::start(folder.path().to_owned(), move |report| files.send(report).unwrap()).unwrap();
    let (phone, seen) = worker(3, &writer);
    let leg = LegId(1);
    let order = |command: Command| phone.jobs.send(command.into()).unwrap();
    order(Command::OpenLeg { room: RoomId(1), leg, stream: stream(phone.ports[0], phone.ports[1]) });
    order(Command::StartRecording { room: RoomId(1), recording: RecordingId(1), customer: leg, path: "end.wav".into() });
    let play = Command::Play { leg, play: PlayId(1), prompts: Vec::new(), repeat: false, barge_in: BargeIn::Off };
    phone.jobs.send(Job { command: play, sounds: vec![Sound::ready(Audio::tone(600, 300))] }).unwrap();
    until(&seen, |event| matches!(event, Event::PlayFinished { .. }));
    drop(phone.jobs);
    phone.thread.join().unwrap();
    drop(writer.jobs);
    writer.thread.join().unwrap();
    let Ok(Report::Media(Event::RecordingFinished { duration, .. })) = written.try_recv() else { panic!("the recording ends") };
    assert!(duration >= Duration::from_millis(300), "{duration:?}");
    assert!(seen.try_iter().any(|report| matches!(report, Report::Media(Event::LegClosed { .. }))));
}
