//! One leg: what its peer says, what it is sent, what is played and pressed to it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::aside::Aside;
use super::codec::g711;
use super::inband::Inband;
use super::incoming::Incoming;
use super::mixer::Wire;
use super::outgoing::Outgoing;
use super::player::Player;
use super::rtp::Header;
use super::rtp::dtls::Identity;
use super::rtp::telephone_event::Press;
use super::tap::Tap;
use super::tone::KeyTone;
use super::{FRAME, Pcm};
use crate::control::words::LegId;
use crate::control::words::media::{KeyTones, LegStats, Stream};

/// Keys that may wait to be sent; more are dropped.
const MOST_KEYS: usize = 64;
/// While there is nothing to be heard, one silent packet a second keeps NATs open and the peer's time-out away.
const KEEPALIVE_TICKS: u32 = 50;

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
    /// What passes besides sound.
    pub aside: Aside,
    quiet_ticks: u32,
}

impl Leg {
    /// A leg that hears nobody yet.
    #[must_use]
    pub fn new(now: Duration, id: LegId, stream: Stream, chance: u64, identity: Option<&Arc<Identity>>) -> Leg {
        let mut leg = Leg {
            id,
            incoming: Incoming::new(now, &stream),
            outgoing: Outgoing::new(chance),
            player: None,
            tap: None,
            inband: ear_for_keys(&stream),
            stream: stream.clone(),
            keypad: Keypad { waiting: VecDeque::with_capacity(MOST_KEYS), press: None },
            route: Route::Own,
            needs: Needs::default(),
            spoken: [0; FRAME],
            heard: [0; FRAME],
            aside: Aside::new(now, chance.rotate_left(17)),
            quiet_ticks: KEEPALIVE_TICKS,
        };
        leg.protect(&stream, identity);
        leg
    }

    /// The stream was agreed anew.
    pub fn update(&mut self, now: Duration, stream: Stream, identity: Option<&Arc<Identity>>) {
        self.incoming.update(now, &stream);
        self.protect(&stream, identity);
        if stream.key_tones != self.stream.key_tones {
            self.inband = ear_for_keys(&stream);
        }
        self.stream = stream;
    }

    /// The counts so far.
    #[must_use]
    pub fn stats(&self) -> LegStats {
        let stats = self.incoming.stats(self.outgoing.sent());
        LegStats { refused: stats.refused + self.aside.refused(), quality: self.aside.quality(), ..stats }
    }

    /// Sends 20 ms in the wire codec.
    pub fn send_sound(&mut self, payload: &[u8], wire: &mut Wire<'_>) {
        self.quiet_ticks = 0;
        if let Some(to) = self.open_target() {
            wire(self.stream.port, to, self.outgoing.sound(self.stream.payload_type, payload));
        }
    }

    /// Nothing is to be heard: sends nothing, or a sign of life when it is time.
    pub fn send_nothing(&mut self, wire: &mut Wire<'_>) {
        self.quiet_ticks += 1;
        if self.quiet_ticks >= KEEPALIVE_TICKS {
            self.send_sound(&[g711::silence(self.stream.codec); FRAME], wire);
        }
        self.outgoing.pause();
    }

    /// Hands on another's sound packet.
    pub fn hand_on_sound(&mut self, header: &Header, payload: &[u8], wire: &mut Wire<'_>) {
        self.hand_on(header, self.stream.payload_type, payload, wire);
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
                    wire(self.stream.port, to, self.outgoing.key(payload_type, packet.marker, &packet.payload));
                }
            }
            (None, Some(_)) => {
                let mut sound = [0; FRAME];
                if was_down {
                    tone.fill(&mut sound);
                }
                let mut payload = [0; FRAME];
                g711::encode_into(self.stream.codec, &sound, &mut payload);
                self.send_sound(&payload, wire);
            }
            (_, None) => {}
        }
        if over {
            self.keypad.press = None;
        }
    }

    fn hand_on(&mut self, header: &Header, payload_type: u8, payload: &[u8], wire: &mut Wire<'_>) {
        self.quiet_ticks = 0;
        let Some(to) = self.open_target() else { return };
        if let Some(packet) = self.outgoing.hand_on(header, payload_type, payload) {
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
