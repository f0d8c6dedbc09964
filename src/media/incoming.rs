//! What one peer sends us: judged, counted, sorted into sound and keys, and read in time.

use std::net::SocketAddr;
use std::time::Duration;

use super::Pcm;
use super::conceal::Conceal;
use super::jitter::{HALF, Inserted, Jitter, Present, Spurt};
use super::rtp::Header;
use super::rtp::latch::{Latch, Verdict};
use super::rtp::stats::{Arrival, Reception};
use super::rtp::telephone_event::Keys;
use crate::control::words::media::{Codec, LegStats, Stream};

const PCMU: u8 = 0;
const PCMA: u8 = 8;
/// Comfort noise (RFC 3389): the sender is silent but there.
const COMFORT: u8 = 13;

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
#[derive(Clone, Debug)]
pub struct Incoming {
    latch: Latch,
    reception: Reception,
    keys: Keys,
    jitter: Jitter,
    conceal: Conceal,
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
            jitter: Jitter::default(),
            conceal: Conceal::default(),
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
        self.latch.expect(stream.remote);
        self.heard_at = now;
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
        if self.jitter.insert(header.timestamp, codec, payload, spurt) == Inserted::Late {
            self.late += 1;
        }
    }

    /// Nobody has listened for a while: what lies in the buffer is old.
    pub fn forget_sound(&mut self) {
        self.jitter.restart();
        self.conceal.restart();
    }

    /// The next 20 ms of what the peer says, losses concealed.
    pub fn speak(&mut self, spoken: &mut Pcm) {
        let Present(halves) = self.jitter.pop(spoken);
        for (half, there) in spoken.chunks_exact_mut(HALF).zip(halves) {
            if there {
                self.conceal.heard(half);
            } else {
                self.conceal.missed(half);
            }
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
        }
    }

    fn sort<'a>(&mut self, now: Duration, header: Header, payload: &'a [u8], stream: &Stream) -> Taken<'a> {
        let kind = kind_of(header.payload_type, stream);
        if kind == Kind::Unknown {
            self.refused += 1;
            return Taken::Nothing;
        }
        self.heard_at = now;
        self.presence = Presence::Flowing;
        match self.reception.take(&header) {
            Arrival::Duplicate => return Taken::Nothing,
            Arrival::Restart => self.jitter.restart(),
            Arrival::Ahead(_) | Arrival::Reordered => {}
        }
        match kind {
            Kind::Key => Taken::Key(header, self.keys.take(&header, payload)),
            Kind::Sound(codec) if stream.receive && !payload.is_empty() => {
                self.reception.measure(&header, now);
                Taken::Sound(header, codec, payload)
            }
            Kind::Sound(_) | Kind::Comfort | Kind::Unknown => Taken::Nothing,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sound(Codec),
    Key,
    Comfort,
    Unknown,
}

/// The agreed types; the other G.711 law too, since peers change it in mid-call.
fn kind_of(payload_type: u8, stream: &Stream) -> Kind {
    if payload_type == stream.payload_type {
        return Kind::Sound(stream.codec);
    }
    match payload_type {
        _ if Some(payload_type) == stream.telephone_event => Kind::Key,
        PCMU => Kind::Sound(Codec::Pcmu),
        PCMA => Kind::Sound(Codec::Pcma),
        COMFORT => Kind::Comfort,
        _ => Kind::Unknown,
    }
}
