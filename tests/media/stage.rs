//! A stage in virtual time: phones that say sines and keep what they hear, a network between them and one mixer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;
use hotline::control::random::Random;
use hotline::control::words::media::{BargeIn, Codec, Command, Event, KeyClock, KeyTones, Levels, OpusTerms, Reports, Stream, Terms};
use hotline::control::words::srtp::{Security, SrtpKeys};
use hotline::control::words::{LegId, PlayId, RoomId, speech};
use hotline::media::codec::{Decoder, Encoder, MOST_SAMPLES, WIRE};
use hotline::media::mixer::{Mixer, Settings};
use hotline::media::rtp::Header;
use hotline::media::rtp::packet::is_rtcp;
use hotline::media::rtp::srtp::{LONGER, Opener, Sealer};
use hotline::media::tone::share;
use hotline::media::{Audio, Job, RATE, Report, Sound, disk};

pub const ROOM: RoomId = RoomId(1);
pub const TIMEOUT: Duration = Duration::from_secs(10);
const FRAME: usize = 160;
const STEP: u64 = 20_000;
/// Ticks stand 7 ms behind the packets of an undisturbed network.
const PHASE: u64 = 7_000;
pub const KEY_TYPE: u8 = 101;
/// How loud a phone says its sine, unless told otherwise.
const LOUDNESS: f64 = 8_000.0;
/// Packets lost in a row.
const BURST: u32 = 3;

/// What the network does to packets on their way to us.
#[derive(Clone, Copy, Default)]
pub struct Network {
    pub loss: f64,
    pub jitter_ms: f64,
    pub reordered: f64,
    pub doubled: f64,
    /// The share of packets with which a row of three lost ones begins.
    pub bursts: f64,
    /// How much slower than ours the phone's clock runs, in millionths. For a fast one `delay_ms` is used up.
    pub ppm: f64,
    pub delay_ms: f64,
}

impl Network {
    /// How long a packet sent at `now` (microseconds) is on its way, in microseconds, as far as that is no chance.
    pub fn shift(&self, now: u64) -> f64 {
        self.delay_ms * 1_000.0 + now as f64 * self.ppm * 1e-6
    }
}

pub struct Phone {
    pub leg: LegId,
    pub port: u16,
    pub address: SocketAddr,
    pub codec: Codec,
    pub network: Network,
    /// The sine it says, or nothing.
    pub says: Option<f64>,
    /// The peak of that sine.
    pub loudness: f64,
    /// Sound that it says first, from the front.
    pub reads: std::collections::VecDeque<i16>,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    said: u64,
    encoder: Encoder,
    /// Packets that are still lost in a row.
    burst: u32,
    /// Everything it got: header and payload.
    pub heard: Vec<(Header, Vec<u8>)>,
    /// As the other side of its leg's security.
    pub cipher: Cipher,
}

/// A phone's own ciphers, and what its leg is told of them.
#[derive(Default)]
pub struct Cipher {
    pub security: Security,
    pub sealer: Option<Sealer>,
    pub opener: Option<Opener>,
}

impl Cipher {
    pub fn of(keys: SrtpKeys) -> Cipher {
        let (sealer, opener) = (Sealer::new(keys.suite, &keys.theirs), Opener::new(keys.suite, &keys.ours));
        Cipher { security: Security::Keys(Arc::new(keys)), sealer: Some(sealer), opener: Some(opener) }
    }

    fn seal(&mut self, mut packet: Vec<u8>) -> Vec<u8> {
        let Some(sealer) = &mut self.sealer else { return packet };
        let clear = packet.len();
        packet.resize(clear + LONGER, 0);
        let length = sealer.seal(&mut packet, clear);
        packet.truncate(length);
        packet
    }
}

/// From which port, to whom, what.
pub type Reported = (u16, SocketAddr, Vec<u8>);

pub struct Stage {
    pub mixer: Mixer,
    pub now: u64,
    pub phones: Vec<Phone>,
    pub reports: Vec<Report>,
    /// RTCP that went out.
    pub reported: Vec<Reported>,
    pub disk: Receiver<disk::Job>,
    /// A disk thread's line: virtual time waits for it, or it would leave gaps that no real disk does.
    pub writing: Option<crossbeam_channel::Sender<disk::Job>>,
    pub speech: Receiver<speech::Job>,
    random: Random,
    /// Packets on their way: when, a number that keeps order, to which port, from where, bytes.
    flying: BTreeMap<(u64, u64), (u16, SocketAddr, Vec<u8>)>,
    launched: u64,
    next_tick: u64,
    next_packet: u64,
    /// Companies of phones that have left.
    left: u128,
}

/// Legs of companies that follow each other differ by this.
const COMPANY: u128 = 1_000;

pub fn leg(number: u128) -> LegId {
    LegId(number)
}

const SETTINGS: Settings = Settings { media_timeout: TIMEOUT, seed: 1, identity: None, levels: Levels::Kept };

/// What the phones say of Opus.
const OPUS: OpusTerms = OpusTerms { fec: true, dtx: false, most_bitrate: None };

pub fn payload_type(codec: Codec) -> u8 {
    codec.static_payload_type().unwrap_or(if codec == Codec::Opus { 107 } else { 118 })
}

impl Phone {
    /// Speaks another codec from now on.
    pub fn speak(&mut self, codec: Codec) {
        (self.codec, self.encoder) = (codec, Encoder::new(codec, OPUS));
    }
}

impl Stage {
    pub fn new() -> Stage {
        let (to_disk, disk) = crossbeam_channel::bounded(4_096);
        let (to_speech, speech) = crossbeam_channel::bounded(16_384);
        Stage::with(to_disk, disk, to_speech, speech)
    }

    pub fn with(
        to_disk: crossbeam_channel::Sender<disk::Job>,
        disk: Receiver<disk::Job>,
        to_speech: crossbeam_channel::Sender<speech::Job>,
        speech: Receiver<speech::Job>,
    ) -> Stage {
        Stage {
            mixer: Mixer::new(SETTINGS, to_disk, vec![to_speech]),
            now: 0,
            phones: Vec::new(),
            reports: Vec::new(),
            reported: Vec::new(),
            disk,
            writing: None,
            speech,
            random: Random::new(7),
            flying: BTreeMap::new(),
            launched: 0,
            next_tick: PHASE,
            next_packet: 0,
            left: 0,
        }
    }

    /// Whether those who speak low are heard louder; before the first phone.
    pub fn level(&mut self, levels: Levels) {
        let (to_disk, disk) = crossbeam_channel::bounded(4_096);
        let (to_speech, speech) = crossbeam_channel::bounded(16_384);
        (self.mixer, self.disk, self.speech) = (Mixer::new(Settings { levels, ..SETTINGS }, to_disk, vec![to_speech]), disk, speech);
    }

    /// Everybody hangs up and is forgotten; the next phones are others.
    pub fn leave(&mut self) {
        for phone in std::mem::take(&mut self.phones) {
            self.order(Command::CloseLeg { leg: phone.leg });
        }
        self.flying.clear();
        self.left += 1;
    }

    /// A phone in a room, saying a sine.
    pub fn phone(&mut self, number: u16, codec: Codec, says: Option<f64>) -> LegId {
        self.phone_with(number, codec, says, Cipher::default())
    }

    /// The same, ciphered.
    pub fn phone_with(&mut self, number: u16, codec: Codec, says: Option<f64>, cipher: Cipher) -> LegId {
        let (leg, port) = (leg(self.left * COMPANY + u128::from(number)), 10_000 + 2 * number);
        let address = SocketAddr::from(([192, 0, 2, 1], 40_000 + number));
        self.phones.push(Phone {
            leg,
            port,
            address,
            codec,
            network: Network::default(),
            says,
            loudness: LOUDNESS,
            reads: std::collections::VecDeque::new(),
            sequence: 65_000 + number,
            timestamp: 0xFFFF_0000 + u32::from(number),
            ssrc: u32::from(number) * 1_000,
            said: 0,
            encoder: Encoder::new(codec, OPUS),
            burst: 0,
            heard: Vec::new(),
            cipher,
        });
        self.order(Command::OpenLeg { room: ROOM, leg, stream: self.stream(number) });
        leg
    }

    pub fn stream(&self, number: u16) -> Stream {
        let phone = &self.phones[usize::from(number) - 1];
        Stream {
            port: phone.port,
            remote: Some(phone.address),
            codec: phone.codec,
            payload_type: payload_type(phone.codec),
            telephone_event: Some(KEY_TYPE),
            key_tones: KeyTones::Ignored,
            ptime_ms: 20,
            send: true,
            receive: true,
            security: phone.cipher.security.clone(),
            reports: Reports::default(),
            terms: Terms {
                opus: OPUS,
                keys: if phone.codec == Codec::Opus { KeyClock::Wide } else { KeyClock::Narrow },
                ..Terms::default()
            },
        }
    }

    pub fn order(&mut self, command: Command) {
        self.give(Job::from(command));
    }

    pub fn give(&mut self, job: Job) {
        self.mixer.handle(Duration::from_micros(self.now), job);
        self.collect();
    }

    pub fn hear(&mut self, ear: LegId, mouth: LegId, gain: f32) {
        self.order(Command::Hear { ear, mouth, gain });
    }

    pub fn bridge(&mut self, one: LegId, other: LegId) {
        self.hear(one, other, 1.0);
        self.hear(other, one, 1.0);
    }

    pub fn play(&mut self, leg: LegId, play: u128, audio: Audio, repeat: bool, barge_in: BargeIn) {
        let command = Command::Play { leg, play: PlayId(play), prompts: Vec::new(), repeat, barge_in };
        self.give(Job { command, sounds: vec![Sound::ready(audio)] });
    }

    pub fn play_sound(&mut self, leg: LegId, play: u128, sound: Arc<Sound>) {
        let command = Command::Play { leg, play: PlayId(play), prompts: Vec::new(), repeat: false, barge_in: BargeIn::Dtmf };
        self.give(Job { command, sounds: vec![sound] });
    }

    /// A phone changes its codec, and so does its leg.
    pub fn speak_from_now_on(&mut self, number: u16, codec: Codec) {
        self.phones[usize::from(number) - 1].speak(codec);
        self.phones[usize::from(number) - 1].heard.clear();
        let (leg, stream) = (leg(u128::from(number)), self.stream(number));
        self.order(Command::UpdateLeg { leg, stream });
    }

    /// Puts a packet of a phone on its way now, as it is.
    pub fn launch(&mut self, phone: usize, header: Header, payload: &[u8]) {
        let mut bytes = header.print().to_vec();
        bytes.extend_from_slice(payload);
        let (port, address) = (self.phones[phone].port, self.phones[phone].address);
        self.fly(self.now, port, address, bytes);
    }

    pub fn fly(&mut self, at: u64, port: u16, from: SocketAddr, bytes: Vec<u8>) {
        self.launched += 1;
        self.flying.insert((at, self.launched), (port, from, bytes));
    }

    /// Lets time go by.
    pub fn run(&mut self, ms: u64) {
        let end = self.now + ms * 1_000;
        loop {
            let arrival = self.flying.first_key_value().map_or(u64::MAX, |((at, _), _)| *at);
            let next = arrival.min(self.next_tick).min(self.next_packet);
            if next >= end {
                break;
            }
            self.now = next;
            if next == self.next_packet {
                self.next_packet += STEP;
                (0..self.phones.len()).for_each(|phone| self.speak(phone));
            } else if next == arrival {
                let Some((_, (port, from, mut bytes))) = self.flying.pop_first() else { continue };
                let (phones, reported) = (&mut self.phones, &mut self.reported);
                self.mixer.receive(Duration::from_micros(next), port, from, &mut bytes, &mut |port, to, packet| {
                    keep(phones, reported, port, to, packet)
                });
            } else {
                self.next_tick += STEP;
                while self.writing.as_ref().is_some_and(|line| !line.is_empty()) {
                    std::thread::yield_now();
                }
                let (phones, reported) = (&mut self.phones, &mut self.reported);
                self.mixer.tick(Duration::from_micros(next), &mut |port, to, packet| keep(phones, reported, port, to, packet));
            }
            self.collect();
        }
        self.now = end;
    }

    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.reports.iter().filter_map(|report| match report {
            Report::Media(event) => Some(event),
            Report::Speech(_) => None,
        })
    }

    pub fn keys(&self, from: LegId) -> String {
        self.events().filter(|event| matches!(event, Event::KeyPressed { leg, .. } if *leg == from)).map(key_of).collect()
    }

    /// What a phone heard in the last `ms` of its stream, placed by timestamp, holes silent.
    pub fn heard(&self, leg: LegId, ms: usize) -> Vec<i16> {
        let phone = self.phones.iter().find(|phone| phone.leg == leg).unwrap();
        let sound: Vec<_> = phone.heard.iter().filter(|(header, _)| header.payload_type != KEY_TYPE).collect();
        let Some((last, _)) = sound.last() else { return Vec::new() };
        let length = ms * RATE as usize / 1_000;
        let scale = phone.codec.ticks_a_sample();
        let start = last.timestamp.wrapping_add(FRAME as u32 * scale).wrapping_sub(u32::try_from(length).unwrap() * scale);
        let mut line = vec![0i16; length];
        let mut decoder = Decoder::new(phone.codec);
        for (header, payload) in sound {
            let mut sound = [0; MOST_SAMPLES];
            let count = decoder.decode(payload, &mut sound);
            let at = (header.timestamp.wrapping_sub(start) / scale) as usize;
            if let Some(place) = line.get_mut(at..at + count) {
                place.copy_from_slice(&sound[..count]);
            }
        }
        line
    }

    /// Does a phone hear this sine (as a tenth of all it hears, at least)?
    pub fn hears(&self, leg: LegId, hertz: f64) -> bool {
        share(&self.heard(leg, 200), RATE, hertz) > 0.1
    }

    /// Packets a phone got in the last `ms`.
    pub fn forget_heard(&mut self) {
        self.phones.iter_mut().for_each(|phone| phone.heard.clear());
    }

    fn speak(&mut self, phone: usize) {
        let Phone { says, loudness, reads, said, codec, network, port, address, sequence, timestamp, ssrc, encoder, cipher, .. } =
            &mut self.phones[phone];
        let lasts = FRAME as u32 * codec.ticks_a_sample();
        if says.is_none() && reads.is_empty() {
            *timestamp = timestamp.wrapping_add(lasts);
            return;
        }
        let header = Header { marker: false, payload_type: payload_type(*codec), sequence: *sequence, timestamp: *timestamp, ssrc: *ssrc };
        *sequence = sequence.wrapping_add(1);
        *timestamp = timestamp.wrapping_add(lasts);
        let mut bytes = header.print().to_vec();
        let mut sound = [0; FRAME];
        for sample in &mut sound {
            let angle = std::f64::consts::TAU * says.unwrap_or(0.0) * (*said as f64) / f64::from(RATE);
            *sample = reads.pop_front().unwrap_or((angle.sin() * *loudness) as i16);
            *said += 1;
        }
        let mut wire = [0; WIRE];
        let length = encoder.encode(&sound, &mut wire);
        bytes.extend_from_slice(&wire[..length]);
        let (port, address, network) = (*port, *address, *network);
        let bytes = cipher.seal(bytes);
        if self.random.unit() < network.bursts {
            self.phones[phone].burst = BURST;
        }
        if self.phones[phone].burst > 0 {
            self.phones[phone].burst -= 1;
            return;
        }
        if self.random.unit() < network.loss {
            return;
        }
        let late = if self.random.unit() < network.reordered { 30.0 } else { self.random.unit() * network.jitter_ms };
        let at = self.now + (late * 1_000.0 + network.shift(self.now)) as u64;
        if self.random.unit() < network.doubled {
            self.fly(at + 1_000, port, address, bytes.clone());
        }
        self.fly(at, port, address, bytes);
    }

    fn collect(&mut self) {
        while let Some(report) = self.mixer.next_report() {
            self.reports.push(report);
        }
    }
}

fn keep(phones: &mut [Phone], reported: &mut Vec<Reported>, port: u16, to: SocketAddr, packet: &[u8]) {
    if is_rtcp(packet) {
        return reported.push((port, to, packet.to_vec()));
    }
    let phone = phones.iter_mut().find(|phone| phone.port == port && phone.address == to).expect("we send to phones we know");
    let mut packet = packet.to_vec();
    if let Some(opener) = &mut phone.cipher.opener {
        let length = opener.open(&mut packet).expect("we cipher as was agreed");
        packet.truncate(length);
    }
    let (header, payload) = Header::parse(&packet).expect("we send RTP");
    phone.heard.push((header, payload.to_vec()));
}

fn key_of(event: &Event) -> char {
    match event {
        Event::KeyPressed { key, .. } => *key,
        _ => ' ',
    }
}
