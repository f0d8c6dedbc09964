//! What a call's sound costs: one worker on real loopback sockets against phones that send and take a packet every 20 ms.
//! `cargo bench --bench media -- [CALLS] [SECONDS] [scenario…]`; scenarios: play bridge transcode rec bridge_rec
//! listen bridge_srtp bridge_gcm (both legs ciphered, AES_CM_128_HMAC_SHA1_80 and AEAD_AES_128_GCM); and
//! `cargo bench --bench media -- codecs` for what each codec costs by itself.
//! CPU is that of the media thread alone (and of the disk thread, apart), from the kernel's `schedstat`.

#![allow(clippy::result_large_err, reason = "what finds the inbox full comes back whole, as from every channel")]

mod codecs;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hotline::control::words::media::{BargeIn, Codec, Command, KeyTones, Levels, Reports, Stream, Terms, WorkerId};
use hotline::control::words::speech::{Expect, Hints, Job as SpeechJob, Listening};
use hotline::control::words::srtp::{KeyChance, Security, SrtpKeys, Suite};
use hotline::control::words::{Lang, LegId, PlayId, RecordingId, RoomId, TurnId};
use hotline::media::rtp::Header;
use hotline::media::rtp::srtp::{LONGER, Sealer};
use hotline::media::{Audio, Handle, Job, Ports, Sound, WorkerConfig, disk, start};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PACE: Duration = Duration::from_millis(20);
const SCENARIOS: [&str; 8] = ["play", "bridge", "transcode", "rec", "bridge_rec", "listen", "bridge_srtp", "bridge_gcm"];

struct Phone {
    socket: UdpSocket,
    to: SocketAddr,
    header: Header,
    sealer: Option<Sealer>,
    got: u64,
    last: Option<Instant>,
    worst_gap: Duration,
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if words.first().is_some_and(|word| word == "codecs") {
        return codecs::measure();
    }
    let number = |at: usize, or: u64| words.get(at).and_then(|word| word.parse().ok()).unwrap_or(or);
    let (calls, seconds) = (number(0, 200) as usize, number(1, 10));
    let chosen: Vec<&str> = SCENARIOS.into_iter().filter(|name| words.len() < 3 || words[2..].iter().any(|word| word == name)).collect();
    println!("load average {}", std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim());
    println!(
        "{:<11} {:>6} {:>12} {:>12} {:>9} {:>8} {:>9} {:>9}",
        "scenario", "calls", "% core/call", "µs/call/20ms", "disk %", "lost", "gap max", "KB/call"
    );
    for name in chosen {
        measure(name, calls, seconds);
    }
}

fn measure(name: &str, calls: usize, seconds: u64) {
    let legs = if name.starts_with("bridge") || name == "transcode" { calls * 2 } else { calls };
    let folder = tempfile::tempdir().expect("a folder for recordings");
    let writer = disk::start(folder.path().to_owned(), |_| ()).expect("the disk thread starts");
    let (speech, heard) = crossbeam_channel::bounded::<SpeechJob>(65_536);
    let config = WorkerConfig {
        id: WorkerId(0),
        bind: HERE,
        ports: Ports::Any(legs),
        core: None,
        nice: 0,
        media_timeout: Duration::from_secs(60),
        identity: None,
        levels: Levels::Kept,
    };
    let before = resident();
    let worker = start(config, writer.jobs.clone(), vec![speech], |_| Ok(())).expect("the worker starts");
    let mut phones: Vec<Phone> =
        worker.ports.iter().enumerate().map(|(at, port)| phone(at, *port, codec(name, at), keys(name).as_ref())).collect();
    set_up(name, &worker, &phones);
    talk(&mut phones, Duration::from_secs(2), &heard);
    phones.iter_mut().for_each(|phone| (phone.got, phone.worst_gap) = (0, Duration::ZERO));
    let memory = resident().saturating_sub(before) / calls as u64;
    let (media, files, began) = (cpu("media-0"), cpu("disk"), Instant::now());
    let rounds = talk(&mut phones, Duration::from_secs(seconds), &heard);
    let wall = began.elapsed().as_secs_f64();
    let share = |used: u64| used as f64 / 1e9 / wall * 100.0;
    // A machine that is too busy lets the phones fall behind: then the figures are too small, and this says so.
    let pace = rounds as f64 * PACE.as_secs_f64() / wall * 100.0;
    let (media, files) = (share(cpu("media-0") - media), share(cpu("disk") - files));
    let got: u64 = phones.iter().map(|phone| phone.got).sum();
    let lost = (rounds * legs as u64).saturating_sub(got);
    let gap = phones.iter().map(|phone| phone.worst_gap).max().unwrap_or_default();
    let lost = if name == "listen" { 0 } else { lost };
    println!(
        "{name:<11} {calls:>6} {:>12.4} {:>12.2} {:>9.4} {lost:>8} {:>6} ms {memory:>9} {pace:>7.1}",
        media / calls as f64,
        media / 100.0 * 20_000.0 / calls as f64,
        files / calls as f64,
        gap.as_millis(),
    );
    drop(worker.jobs);
    worker.thread.join().expect("the worker ends");
    drop(writer.jobs);
    writer.thread.join().expect("the disk thread ends");
}

fn codec(name: &str, at: usize) -> Codec {
    if name == "transcode" && at % 2 == 1 { Codec::Pcma } else { Codec::Pcmu }
}

/// The keys of every leg of a ciphered scenario.
fn keys(name: &str) -> Option<SrtpKeys> {
    let suite = match name {
        "bridge_srtp" => Suite::Aes128Sha80,
        "bridge_gcm" => Suite::Aes128Gcm,
        _ => return None,
    };
    let chance = KeyChance([1; 32]);
    Some(SrtpKeys { suite, ours: chance.key(suite, b"ours"), theirs: chance.key(suite, b"theirs") })
}

fn phone(at: usize, port: u16, codec: Codec, keys: Option<&SrtpKeys>) -> Phone {
    let socket = UdpSocket::bind((HERE, 0)).expect("a port for a phone");
    socket.set_nonblocking(true).expect("a socket that does not block");
    let payload_type = if codec == Codec::Pcmu { 0 } else { 8 };
    let header = Header { marker: false, payload_type, sequence: 0, timestamp: 0, ssrc: at as u32 + 1 };
    let sealer = keys.map(|keys| Sealer::new(keys.suite, &keys.theirs));
    Phone { socket, to: SocketAddr::new(HERE, port), header, sealer, got: 0, last: None, worst_gap: Duration::ZERO }
}

fn set_up(name: &str, worker: &Handle, phones: &[Phone]) {
    let music = Sound::ready(Audio::tone(440, 10_000));
    let order = |job: Job| worker.jobs.send(job).expect("the worker takes jobs");
    let per_room = if name.starts_with("bridge") || name == "transcode" { 2 } else { 1 };
    for (at, phone) in phones.iter().enumerate() {
        let (room, leg) = (RoomId((at / per_room) as u128), LegId(at as u128));
        let remote = phone.socket.local_addr().expect("a bound socket has an address");
        let stream = Stream {
            port: phone.to.port(),
            remote: Some(remote),
            codec: codec(name, at),
            payload_type: phone.header.payload_type,
            telephone_event: Some(101),
            key_tones: KeyTones::Ignored,
            ptime_ms: 20,
            send: true,
            receive: true,
            security: keys(name).map_or(Security::Plain, |keys| Security::Keys(Arc::new(keys))),
            reports: Reports::default(),
            terms: Terms::default(),
        };
        order(Command::OpenLeg { room, leg, stream }.into());
        let first = at % per_room == 0;
        if name == "play" {
            let play = Command::Play { leg, play: PlayId(1), prompts: Vec::new(), repeat: true, barge_in: BargeIn::Dtmf };
            order(Job { command: play, sounds: vec![Arc::clone(&music)] });
        } else if name == "rec" {
            order(Command::Hear { ear: leg, mouth: leg, gain: 1.0 }.into());
        } else if name == "listen" {
            order(Command::Listen { leg, listening: listening() }.into());
        } else if !first {
            let other = LegId(at as u128 - 1);
            order(Command::Hear { ear: leg, mouth: other, gain: 1.0 }.into());
            order(Command::Hear { ear: other, mouth: leg, gain: 1.0 }.into());
        }
        if name.ends_with("rec") && first {
            order(
                Command::StartRecording { room, recording: RecordingId(at as u128), customer: leg, path: format!("{at}.wav").into() }
                    .into(),
            );
        }
    }
}

fn listening() -> Arc<Listening> {
    Arc::new(Listening {
        turn: TurnId(1),
        lang: Lang::new("en-US"),
        expect: Expect::Sentence,
        hints: Arc::new(Hints::default()),
        end_silence: Duration::from_millis(600),
        max: Duration::from_secs(10),
    })
}

/// Every phone sends a packet each 20 ms and takes what has come; the phones are spread over the 20 ms. Returns the rounds.
fn talk(phones: &mut [Phone], how_long: Duration, heard: &crossbeam_channel::Receiver<SpeechJob>) -> u64 {
    let mut datagram = [0u8; 172 + LONGER];
    let noise: Vec<u8> = (0..160u32).map(|at| (at * 97 % 251) as u8).collect();
    let (began, mut rounds) = (Instant::now(), 0u64);
    let slots = 20;
    while began.elapsed() < how_long {
        for slot in 0..slots {
            let due = PACE * u32::try_from(rounds).unwrap_or(0) + PACE / slots * slot;
            wait_until(began + due);
            for phone in phones.iter_mut().skip(slot as usize).step_by(slots as usize) {
                phone.header.sequence = phone.header.sequence.wrapping_add(1);
                phone.header.timestamp = phone.header.timestamp.wrapping_add(160);
                datagram[..12].copy_from_slice(&phone.header.print());
                datagram[12..172].copy_from_slice(&noise);
                let length = phone.sealer.as_mut().map_or(172, |sealer| sealer.seal(&mut datagram, 172));
                let _ = phone.socket.send_to(&datagram[..length], phone.to);
            }
            phones.iter_mut().skip(slot as usize).step_by(slots as usize).for_each(take);
        }
        rounds += 1;
        heard.try_iter().count();
    }
    rounds
}

fn take(phone: &mut Phone) {
    let mut packet = [0u8; 256];
    while phone.socket.recv_from(&mut packet).is_ok() {
        let now = Instant::now();
        if let Some(before) = phone.last.replace(now) {
            phone.worst_gap = phone.worst_gap.max(now - before);
        }
        phone.got += 1;
    }
}

/// The pace of the phones is their deadline.
fn wait_until(moment: Instant) {
    let _ = crossbeam_channel::never::<()>().recv_deadline(moment);
}

/// CPU nanoseconds of our thread of this name.
fn cpu(thread: &str) -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux has /proc");
    let of = |path: std::path::PathBuf| {
        let name = std::fs::read_to_string(path.join("comm")).ok()?;
        (name.trim() == thread).then(|| std::fs::read_to_string(path.join("schedstat")).ok())?
    };
    let stat = tasks.filter_map(|task| of(task.ok()?.path())).next().unwrap_or_default();
    stat.split_whitespace().next().and_then(|used| used.parse().ok()).unwrap_or(0)
}

/// Resident memory of the process in KB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    line.and_then(|line| line.split_whitespace().nth(1)).and_then(|kb| kb.parse().ok()).unwrap_or(0)
}
