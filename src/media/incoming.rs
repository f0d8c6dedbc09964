//! What one peer sends us: judged, counted, sorted into sound and keys, and read in time.

use std::net::SocketAddr;
use std::time::Duration;

use super::Pcm;
use super::jitter::{Inserted, Jitter, Spurt};
use super::rtp::Header;
use super::rtp::latch::{Latch, Verdict};
use super::rtp::stats::{Arrival, Reception};
use super::rtp::telephone_event::Keys;
use crate::control::words::media::{Codec, Kind, LegStats, Stream};

const PCMU: u8 = 0;
const PCMA: u8 = 8;
const G722: u8 = 9;
/// Comfort noise (RFC 3389): the sender is silent but there.
const COMFORT: u8 = 13;
/// The part of a comfort noise packet that is its level.
const COMFORT_LEVEL: u8 = 0x7F;

/// What a datagram was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taken<'a> {
    /// Nothing to be heard: refused, a repetition, comfort noise.
    Nothing,
    /// Sound in this codec.
    Sound(Header, Codec, &'a [u8]),
    /// A packet of a key; the key when it is the first of its press.
    Key(Header, Option<char>),
}

/// Is the peer's stream there?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Presence {
    Flowing,
    Lost,
}

/// The incoming side of a leg.
#[derive(Debug)]
pub struct Incoming {
    latch: Latch,
    reception: Reception,
    keys: Keys,
    /// Made by the first packet that somebody listens to: legs whose packets are handed on, or that never send any, do without.
    jitter: Option<Box<Jitter>>,
    heard_at: Duration,
    presence: Presence,
    late: u64,
    refused: u64,
}

impl Incoming {
    /// A stream of which nothing has come yet.
    #[must_use]
    pub fn new(now: Duration, stream: &Stream) -> Incoming {
        let mut incoming = Incoming {
            latch: Latch::default(),
            reception: Reception::default(),
            keys: Keys::default(),
            jitter: None,
            heard_at: now,
            presence: Presence::Flowing,
            late: 0,
            refused: 0,
        };
        incoming.update(now, stream);
        incoming
    }

    /// The stream was agreed anew.
    pub fn update(&mut self, now: Duration, stream: &Stream) {
        if stream.terms.ice.is_none() {
            self.latch.expect(stream.remote);
        }
        self.heard_at = now;
    }

    /// The peer proves where it is: whom it lets in and where it is sent to is said by that alone.
    pub fn follow(&mut self, chosen: Option<SocketAddr>) {
        self.latch.follow(chosen);
    }

    /// Where to send.
    #[must_use]
    pub fn target(&self) -> Option<SocketAddr> {
        self.latch.target()
    }

    /// Judges and counts a datagram.
    pub fn take<'a>(&mut self, now: Duration, from: SocketAddr, datagram: &'a [u8], stream: &Stream) -> Taken<'a> {
        let Ok((header, payload)) = Header::parse(datagram) else {
            self.refused += 1;
            return Taken::Nothing;
        };
        if !stream.receive {
            self.latch.stays(now);
        }
        match self.latch.admit(now, from, &header) {
            Verdict::Known => {}
            Verdict::Probation => return Taken::Nothing,
            Verdict::Stranger => {
                self.refused += 1;
                return Taken::Nothing;
            }
        }
        self.sort(now, header, payload, stream)
    }

    /// Keeps sound until its turn comes.
    pub fn keep(&mut self, header: &Header, codec: Codec, payload: &[u8]) {
        let spurt = if header.marker { Spurt::First } else { Spurt::Within };
        match self.jitter.get_or_insert_default().insert(header.timestamp, codec, payload, spurt) {
            Inserted::Stored => {}
            Inserted::Late => self.late += 1,
            Inserted::Unreadable => self.refused += 1,
        }
    }

    /// Nobody has listened for a while: what lies in the buffer is old.
    pub fn forget_sound(&mut self) {
        self.jitter.iter_mut().for_each(|jitter| jitter.forget());
    }

    /// The next 20 ms of what the peer says, losses concealed.
    pub fn speak(&mut self, spoken: &mut Pcm) {
        match &mut self.jitter {
            Some(jitter) => jitter.pop(spoken),
            None => spoken.fill(0),
        }
    }

    /// True once, when nothing has come for `timeout` though the peer may send.
    pub fn is_newly_lost(&mut self, now: Duration, timeout: Duration, stream: &Stream) -> bool {
        if !stream.receive {
            self.heard_at = now;
        }
        if self.presence == Presence::Lost || now.saturating_sub(self.heard_at) < timeout {
            return false;
        }
        self.presence = Presence::Lost;
        true
    }

    /// What was counted of the stream, and how many packets came too late.
    #[must_use]
    pub fn reception(&self) -> (&Reception, u64) {
        (&self.reception, self.late)
    }

    /// The counts so far, `sent` left to the sender.
    #[must_use]
    pub fn stats(&self, sent: u64) -> LegStats {
        LegStats {
            received: self.reception.received(),
            lost: self.reception.lost(),
            late: self.late,
            sent,
            jitter_ms: self.reception.jitter_ms(),
            refused: self.refused,
            quality: None,
            gaps: self.reception.gaps(),
        }
    }

    fn sort<'a>(&mut self, now: Duration, header: Header, payload: &'a [u8], stream: &Stream) -> Taken<'a> {
        let Some(kind) = kind_of(header.payload_type, stream) else {
            self.refused += 1;
            return Taken::Nothing;
        };
        self.heard_at = now;
        self.presence = Presence::Flowing;
        match self.reception.take(&header) {
            Arrival::Duplicate => return Taken::Nothing,
            Arrival::Restart => self.jitter.iter_mut().for_each(|jitter| jitter.restart()),
            Arrival::Ahead(_) | Arrival::Reordered => {}
        }
        match kind {
            Kind::Keys => Taken::Key(header, self.keys.take(&header, payload)),
            Kind::Sound(codec) if stream.receive && !payload.is_empty() => {
                self.reception.measure(&header, now, codec.clock());
                Taken::Sound(header, codec, payload)
            }
            Kind::ComfortNoise => {
                if let (Some(jitter), Some(level)) = (&mut self.jitter, payload.first()) {
                    jitter.comfort(header.timestamp, level & COMFORT_LEVEL);
                }
                Taken::Nothing
            }
            Kind::Sound(_) => Taken::Nothing,
        }
    }
}

/// What a payload type carries: as the peer announced it, as we did (it may use our numbers, RFC 3264 §5.1), or by RFC 3551's table,
/// since peers change the codec in mid-call.
fn kind_of(payload_type: u8, stream: &Stream) -> Option<Kind> {
    if payload_type == stream.payload_type {
        return Some(Kind::Sound(stream.codec));
    }
    if Some(payload_type) == stream.telephone_event {
        return Some(Kind::Keys);
    }
    if Some(payload_type) == stream.terms.comfort_noise {
        return Some(Kind::ComfortNoise);
    }
    let ours = stream.terms.ours.iter().flatten().find(|(number, _)| *number == payload_type).map(|(_, kind)| *kind);
    ours.or(match payload_type {
        PCMU => Some(Kind::Sound(Codec::Pcmu)),
        PCMA => Some(Kind::Sound(Codec::Pcma)),
        G722 => Some(Kind::Sound(Codec::G722)),
        COMFORT => Some(Kind::ComfortNoise),
        _ => None,
    })
}
