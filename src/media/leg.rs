//! One leg: what its peer says, what it is sent, what is played and pressed to it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::aside::Aside;
use super::codec::{self, Encoder, WIRE};
use super::inband::Inband;
use super::incoming::Incoming;
use super::level::Leveller;
use super::mixer::Wire;
use super::outgoing::Outgoing;
use super::player::Player;
use super::rtp::Header;
use super::rtp::dtls::Identity;
use super::rtp::telephone_event::{EVENT_BYTES, Press};
use super::tap::Tap;
use super::tone::KeyTone;
use super::{FRAME, Pcm};
use crate::control::words::LegId;
use crate::control::words::media::{KeyClock, KeyTones, LegStats, Stream};

/// Keys that may wait to be sent; more are dropped.
const MOST_KEYS: usize = 64;
/// While there is nothing to be heard, one silent packet a second keeps NATs open and the peer's time-out away.
const KEEPALIVE_TICKS: u32 = 50;
/// The background that a silent line has for a peer that takes comfort noise: −70 dB under full scale (RFC 3389 §3.1).
const COMFORT_LEVEL: u8 = 70;

/// Where the packets of an ear come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Route {
    /// Made here, each tick.
    Own,
    /// The packets of this member of the room are handed on as they come.
    HandOn(usize),
}

/// What the room needs of a leg in a tick beyond its own packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Needs {
    /// Its speech as linear sound: somebody mixes, records or recognises it.
    pub speech: bool,
    /// What it hears as linear sound: it is recorded.
    pub hearing: bool,
}

/// A leg in a room.
pub struct Leg {
    /// Its name.
    pub id: LegId,
    /// As agreed now.
    pub stream: Stream,
    /// From the peer.
    pub incoming: Incoming,
    /// To the peer.
    pub outgoing: Outgoing,
    /// What plays to it.
    pub player: Option<Player>,
    /// Its recognizer's ear.
    pub tap: Option<Box<Tap>>,
    /// Its ear for keys that come as tones.
    pub inband: Option<Box<Inband>>,
    /// Keys being sent to it.
    pub keypad: Keypad,
    /// Where its packets come from.
    pub route: Route,
    /// What the room needs of it.
    pub needs: Needs,
    /// What it says in this tick (when needed).
    pub spoken: Pcm,
    /// What it hears in this tick (when needed).
    pub heard: Pcm,
    /// By how much it is heard louder or lower, where levels are brought together.
    pub leveller: Option<Leveller>,
    /// What passes besides sound.
    pub aside: Aside,
    encoder: Encoder,
    quiet_ticks: u32,
}

impl Leg {
    /// A leg that hears nobody yet.
    #[must_use]
    pub fn new(now: Duration, id: LegId, stream: Stream, chance: u64, identity: Option<&Arc<Identity>>) -> Leg {
        let mut leg = Leg {
            id,
            incoming: Incoming::new(now, &stream),
            outgoing: Outgoing::new(stream.codec, chance),
            encoder: Encoder::new(stream.codec, stream.terms.opus),
            player: None,
            tap: None,
            inband: ear_for_keys(&stream),
            stream: stream.clone(),
            keypad: Keypad { waiting: VecDeque::with_capacity(MOST_KEYS), press: None },
            route: Route::Own,
            needs: Needs::default(),
            spoken: [0; FRAME],
            heard: [0; FRAME],
            leveller: None,
            aside: Aside::new(now, chance.rotate_left(17)),
            quiet_ticks: KEEPALIVE_TICKS,
        };
        leg.protect(now, &stream, identity);
        leg
    }

    /// The stream was agreed anew.
    pub fn update(&mut self, now: Duration, stream: Stream, identity: Option<&Arc<Identity>>) {
        self.incoming.update(now, &stream);
        self.protect(now, &stream, identity);
        if stream.key_tones != self.stream.key_tones {
            self.inband = ear_for_keys(&stream);
        }
        if (stream.codec, stream.terms.opus) != (self.stream.codec, self.stream.terms.opus) {
            self.encoder = Encoder::new(stream.codec, stream.terms.opus);
            self.outgoing.retune(stream.codec);
        }
        self.stream = stream;
    }

    /// The counts so far.
    #[must_use]
    pub fn stats(&self) -> LegStats {
        let stats = self.incoming.stats(self.outgoing.sent());
        LegStats { refused: stats.refused + self.aside.refused(), quality: self.aside.quality(), ..stats }
    }

    /// Sends 20 ms that are in the wire codec already.
    pub fn send_sound(&mut self, payload: &[u8], wire: &mut Wire<'_>) {
        self.quiet_ticks = 0;
        if let Some(to) = self.open_target() {
            wire(self.stream.port, to, self.outgoing.sound(self.stream.payload_type, payload));
        }
    }

    /// Encodes and sends 20 ms. An encoder that finds nothing in them worth a packet makes a pause.
    pub fn send_linear(&mut self, sound: &Pcm, wire: &mut Wire<'_>) {
        let mut payload = [0; WIRE];
        match self.encoder.encode(sound, &mut payload) {
            0 => self.outgoing.pause(),
            length => self.send_sound(&payload[..length], wire),
        }
    }

    /// Nothing is to be heard: sends nothing, or a sign of life when it is time; comfort noise where the peer takes it, from the start.
    pub fn send_nothing(&mut self, wire: &mut Wire<'_>) {
        let begins = self.quiet_ticks == 0;
        self.quiet_ticks += 1;
        match (self.stream.terms.comfort_noise, self.open_target()) {
            (Some(payload_type), Some(to)) if begins || self.quiet_ticks >= KEEPALIVE_TICKS => {
                wire(self.stream.port, to, self.outgoing.sound(payload_type, &[COMFORT_LEVEL]));
                self.quiet_ticks = 1;
            }
            _ if self.quiet_ticks >= KEEPALIVE_TICKS => {
                self.quiet_ticks = 0;
                self.send_linear(&[0; FRAME], wire);
            }
            _ => {}
        }
        self.outgoing.pause();
    }

    /// Hands on another's sound packet.
    pub fn hand_on_sound(&mut self, header: &Header, payload: &[u8], wire: &mut Wire<'_>) {
        let samples = codec::samples(self.stream.codec, payload);
        self.hand_on(header, self.stream.payload_type, payload, samples, wire);
    }

    /// Another's key packet stays here: the rules know whether the key is for this ear, and have it pressed anew.
    pub fn hold_back(&mut self, header: &Header) {
        self.outgoing.skip(header);
    }

    /// Sends this tick's part of the key that is being pressed.
    pub fn send_key(&mut self, wire: &mut Wire<'_>) {
        let Some((press, tone)) = self.keypad.current() else { return };
        let was_down = press.is_down();
        let packet = press.tick();
        let over = press.is_over();
        let target = if self.stream.send && self.outgoing.secrecy.is_open() { self.incoming.target() } else { None };
        match (self.stream.telephone_event, target) {
            (Some(payload_type), Some(to)) => {
                if let Some(packet) = packet {
                    let event = in_clock(packet.payload, self.stream.terms.keys);
                    wire(self.stream.port, to, self.outgoing.key(payload_type, packet.marker, &event));
                }
            }
            (None, Some(_)) => {
                let mut sound = [0; FRAME];
                if was_down {
                    tone.fill(&mut sound);
                }
                self.send_linear(&sound, wire);
            }
            (_, None) => {}
        }
        if over {
            self.keypad.press = None;
        }
    }

    fn hand_on(&mut self, header: &Header, payload_type: u8, payload: &[u8], samples: usize, wire: &mut Wire<'_>) {
        self.quiet_ticks = 0;
        let Some(to) = self.open_target() else { return };
        if let Some(packet) = self.outgoing.hand_on(header, payload_type, payload, samples) {
            wire(self.stream.port, to, packet);
        }
    }

    fn open_target(&self) -> Option<SocketAddr> {
        if self.stream.send && self.outgoing.secrecy.is_open() { self.incoming.target() } else { None }
    }
}

fn ear_for_keys(stream: &Stream) -> Option<Box<Inband>> {
    (stream.key_tones == KeyTones::Heard).then(Box::default)
}

/// The packet of a key with its duration (RFC 4733 §2.3.5), which we count in samples of 8 kHz, told in the peer's clock.
fn in_clock(event: [u8; EVENT_BYTES], clock: KeyClock) -> [u8; EVENT_BYTES] {
    let [key, volume, high, low] = event;
    let [high, low] = u16::from_be_bytes([high, low]).saturating_mul(clock.ticks_a_sample()).to_be_bytes();
    [key, volume, high, low]
}

/// Keys waiting to be sent, and the one that is down.
#[derive(Clone, Debug)]
pub struct Keypad {
    waiting: VecDeque<char>,
    press: Option<(Press, KeyTone)>,
}

impl Keypad {
    /// Adds keys; what is no key, or too much, is left out.
    pub fn press(&mut self, keys: &str) {
        let room = MOST_KEYS - self.waiting.len();
        self.waiting.extend(keys.chars().filter(|key| Press::new(*key).is_some()).take(room));
    }

    /// Is there anything to send?
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.press.is_some() || !self.waiting.is_empty()
    }

    fn current(&mut self) -> Option<&mut (Press, KeyTone)> {
        if self.press.is_none() {
            let press = self.waiting.pop_front().and_then(Press::new)?;
            self.press = Some((press, KeyTone::new(press.code())));
        }
        self.press.as_mut()
    }
}
