//! The jitter buffer: packets by timestamp, decoded in order, losses concealed, 20 ms handed out a tick.
//!
//! The delay follows what is measured: one packet in a hundred may be late, for the others is waited. A packet that is late for that
//! moves the line at once; everything else, a drifting clock too, is met by pieces of 5 to 20 ms taken out or put in where that is not
//! heard. Time is counted in samples of 8 kHz on a line that begins with the first packet, whatever the codec's RTP clock.

mod delays;
mod store;
#[cfg(test)]
mod tests;

use delays::Delays;
use store::{Store, Waiting};

use super::codec::{self, Decoder, MOST_SAMPLES};
use super::conceal::Conceal;
use super::stretch::{self, Care};
use super::{FRAME, Pcm};
use crate::control::words::media::Codec;

/// Samples that are made up at once: 10 ms.
pub const HALF: usize = FRAME / 2;

const TICK: i64 = FRAME as i64;
/// Delay at the start of the first stream, from arrival to playing: 30 ms.
const FIRST_DEPTH: i64 = 240;
/// The least and the most delay that a stream begins with, and the most it may grow to: 20 ms and 200 ms.
const LEAST_DEPTH: i64 = 160;
const MOST_DEPTH: i64 = 1_600;
/// Slack that stays when the delay shrinks, and that it grows for when it is gone: 5 and 2 ms.
const MARGIN: i64 = 40;
const GUARD: i64 = 16;
/// The delay shrinks when so much more than the margin can be spared: 10 ms.
const STEP: i64 = 80;
/// Packets that decide about the delay: 1 s at 20 ms.
const ENOUGH: usize = 50;
/// Packets between two pieces put in or taken out, and packets that a good place for one is waited for.
const COOL: u32 = 5;
const PATIENCE: u32 = 100;
/// Late packets in a row that mean a new time line.
const LOST_TRACK: u32 = 10;
/// Ticks without any sound after which the next packet begins a new time line: 1 s.
const IDLE_TICKS: u32 = 50;
/// Ticks without any sound that make a pause, marked or not: 100 ms.
const PAUSE_TICKS: u32 = 5;
/// A talk spurt that begins so much earlier or later than expected (100 ms) is placed anew.
const MISPLACED: i64 = 800;
/// A packet further away than this (1 s) is of another time line.
const SPAN: i64 = 8_000;
/// Longer packets of codecs that can be cut are cut: 60 ms.
const MOST_PIECE: usize = 480;
/// A gap up to this is filled from the copy in the packet behind it: 60 ms.
const MOST_COPIED: i64 = 480;
/// Opus goes on by itself so long: 100 ms.
const OPUS_GOES_ON: i64 = 800;
/// Opus makes up multiples of 2.5 ms.
const OPUS_GRAIN: i64 = 20;
/// Room for decoded sound: a tick, the longest packet and a piece put in.
const AHEAD: usize = 2 * FRAME + MOST_SAMPLES + stretch::LONGEST;

/// What became of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inserted {
    /// It will be heard.
    Stored,
    /// It came after its turn.
    Late,
    /// It is no packet of its codec.
    Unreadable,
}

/// Does a packet begin a talk spurt (marker bit, RFC 3551 §4.1)?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spurt {
    /// It does.
    First,
    /// It goes on.
    Within,
}

/// The buffer of one incoming stream. All its memory is taken when it is made; a codec's state when its first packet is decoded.
#[derive(Debug, Default)]
pub struct Jitter {
    store: Store,
    ahead: Ahead,
    decoder: Option<Decoder>,
    conceal: Conceal,
    delays: Delays,
    /// The time line: `None` until a packet sets it.
    line: Option<Line>,
    /// Ticks handed out: an even clock to measure arrivals by.
    ticks: i64,
    late_in_a_row: u32,
    pace: Pace,
    /// Samples made up because packets were missing.
    concealed: u64,
}

#[derive(Debug)]
struct Line {
    /// Behind the last sample that was decoded or made up.
    decoded: i64,
    /// Behind the last sample that came from a packet.
    real: i64,
    /// Behind the last packet that came.
    end: i64,
    /// The newest timestamp, as it came and unwrapped to samples.
    stamp: (u32, i64),
    /// Ticks of the RTP clock a sample.
    scale: u32,
    empty_ticks: u32,
    comfort: Option<Comfort>,
}

/// From here on the peer is silent, and its background so many decibels below full scale.
#[derive(Clone, Copy, Debug)]
struct Comfort {
    at: i64,
    below: u8,
}

/// When a piece was last taken out or put in.
#[derive(Debug, Default)]
struct Pace {
    packets: u32,
    wished: u32,
}

impl Jitter {
    /// Forgets the time line: the next packet begins a new one (new source, jump in the sequence numbers).
    pub fn restart(&mut self) {
        self.leave_line();
        self.delays = Delays::default();
        self.decoder.iter_mut().for_each(Decoder::restart);
    }

    /// Forgets everything: nobody has listened for a while.
    pub fn forget(&mut self) {
        self.restart();
        self.ahead.clear();
        self.conceal.restart();
    }

    /// Takes a packet's sound. `spurt`: it is marked as the first after a pause.
    pub fn insert(&mut self, timestamp: u32, codec: Codec, payload: &[u8], spurt: Spurt) -> Inserted {
        let samples = codec::samples(codec, payload);
        if samples == 0 {
            return Inserted::Unreadable;
        }
        if samples <= MOST_PIECE || codec == Codec::Opus {
            return self.insert_piece(timestamp, codec, payload, spurt);
        }
        let bytes = payload.len() / samples * MOST_PIECE;
        let stamp = |piece: usize| timestamp.wrapping_add((piece * MOST_PIECE) as u32 * codec.ticks_a_sample());
        let pieces = payload.chunks(bytes).enumerate();
        pieces
            .fold(Inserted::Late, |_, (at, piece)| self.insert_piece(stamp(at), codec, piece, if at == 0 { spurt } else { Spurt::Within }))
    }

    /// The peer says that it is silent from `timestamp` on, its background `below` decibels under full scale.
    pub fn comfort(&mut self, timestamp: u32, below: u8) {
        if let Some(line) = &mut self.line {
            line.comfort = Some(Comfort { at: line.place(timestamp), below });
        }
    }

    /// Gives the next 20 ms.
    pub fn pop(&mut self, pcm: &mut Pcm) {
        if let Some(line) = &mut self.line {
            line.empty_ticks = if line.end <= line.decoded { line.empty_ticks + 1 } else { 0 };
            if line.empty_ticks > IDLE_TICKS {
                self.leave_line();
            }
        }
        while self.ahead.length < FRAME {
            self.advance();
        }
        self.ahead.take(pcm);
        self.ticks += 1;
    }

    /// How long sound waits here, in samples: from the next to be played to the newest.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.line.as_ref().map_or(0, |line| usize::try_from(line.end - line.decoded).unwrap_or(0) + self.ahead.length)
    }

    /// Samples that were made up so far because packets were missing.
    #[must_use]
    pub fn concealed(&self) -> u64 {
        self.concealed
    }

    fn insert_piece(&mut self, timestamp: u32, codec: Codec, payload: &[u8], spurt: Spurt) -> Inserted {
        let samples = codec::samples(codec, payload);
        let at = self.place(timestamp, codec, spurt);
        self.delays.add(at - self.ticks * TICK);
        let late = self.read() - at;
        if late > 0 && !self.make_room(at, late) && self.is_past(at + samples as i64) {
            self.late_in_a_row += 1;
            return Inserted::Late;
        }
        self.late_in_a_row = 0;
        if let Some(line) = &mut self.line {
            line.end = line.end.max(at + samples as i64);
        }
        self.store.insert(at, samples, codec, payload);
        Inserted::Stored
    }

    /// Where a packet lies; sets or moves the time line where it cannot be played on the present one.
    fn place(&mut self, timestamp: u32, codec: Codec, spurt: Spurt) -> i64 {
        let (read, depth) = (self.read(), self.first_depth());
        let scale = codec.ticks_a_sample();
        if let Some(line) = &mut self.line {
            if line.scale != scale {
                // Another clock: it goes on behind what is there.
                (line.scale, line.stamp) = (scale, (timestamp, line.end));
            }
            let at = line.place(timestamp);
            let fits = (0..depth + MISPLACED).contains(&(at - read));
            let paused = line.end <= line.decoded && (spurt == Spurt::First || line.empty_ticks >= PAUSE_TICKS);
            let near = (-SPAN..=SPAN).contains(&(at - read));
            if near && (fits || !paused) && self.late_in_a_row < LOST_TRACK {
                if at > line.stamp.1 {
                    line.stamp = (timestamp, at);
                }
                return at;
            }
            self.leave_line();
            // What is measured from now on has nothing to do with what was measured before.
            self.delays = Delays::default();
        }
        let decoded = (self.ahead.length as i64).min(depth) - depth;
        self.line = Some(Line { decoded, real: decoded, end: 0, stamp: (timestamp, 0), scale, empty_ticks: 0, comfort: None });
        0
    }

    /// The sample that is played next.
    fn read(&self) -> i64 {
        self.line.as_ref().map_or(0, |line| line.decoded - self.ahead.length as i64)
    }

    /// The delay that a new line begins with: what the jitter so far asks for.
    fn first_depth(&self) -> i64 {
        if self.delays.count() < ENOUGH { FIRST_DEPTH } else { (self.delays.spread() + MARGIN).clamp(LEAST_DEPTH, MOST_DEPTH) }
    }

    fn leave_line(&mut self) {
        self.line = None;
        self.store.clear();
        self.late_in_a_row = 0;
        self.pace = Pace::default();
    }

    /// Is all before this place decoded or made up?
    fn is_past(&self, end: i64) -> bool {
        self.line.as_ref().is_some_and(|line| end <= line.decoded)
    }

    /// A packet for `at` is `late` samples behind its turn: plays it and the rest later, if so many are late that waiting is worth it, and
    /// nothing behind it has been heard yet.
    fn make_room(&mut self, at: i64, late: i64) -> bool {
        let offset = self.read() - self.ticks * TICK;
        let depth = self.delays.most() - offset;
        let Some(line) = &mut self.line else { return false };
        if self.delays.least() >= offset || depth + late > MOST_DEPTH || at < line.real {
            return false;
        }
        line.decoded = at;
        self.ahead.clear();
        true
    }

    /// Decodes the next packet, or makes up what is missing before it.
    fn advance(&mut self) {
        let Some(line) = &self.line else {
            self.conceal.missed(self.ahead.fill(HALF));
            return;
        };
        let decoded = line.decoded;
        while self.store.first().is_some_and(|packet| packet.end() <= decoded) {
            self.store.drop_first();
        }
        match self.store.first() {
            Some(packet) if packet.at <= decoded => self.decode(packet),
            next => self.bridge(decoded, next),
        }
    }

    fn decode(&mut self, packet: Waiting) {
        let Jitter { store, ahead, decoder, conceal, delays, line: Some(line), ticks, pace, .. } = self else { return };
        store.drop_first();
        if decoder.as_ref().is_none_or(|decoder| decoder.codec() != packet.codec) {
            *decoder = Some(Decoder::new(packet.codec));
        }
        let room = ahead.room();
        let made = decoder.as_mut().map_or(0, |decoder| decoder.decode(store.payload(&packet), &mut room[..MOST_SAMPLES]));
        let skip = usize::try_from(line.decoded - packet.at).unwrap_or(0);
        let Some(length) = made.checked_sub(skip).filter(|length| *length > 0) else { return };
        room.copy_within(skip..made, 0);
        let read = line.decoded - ahead.length as i64;
        let wish = pace.wish(delays, read - *ticks * TICK);
        let room = ahead.room();
        let changed = wish.stretch(conceal.past(), room, length);
        pace.settle(wish, changed != length);
        conceal.heard(&mut room[..changed]);
        ahead.length += changed;
        line.decoded += length as i64;
        line.real = line.decoded;
        line.comfort = line.comfort.filter(|comfort| comfort.at >= line.decoded);
    }

    /// Makes up what is missing from `from` on.
    fn bridge(&mut self, from: i64, next: Option<Waiting>) {
        let Jitter { store, ahead, decoder, conceal, line: Some(line), .. } = self else { return };
        let gap = next.map_or(i64::MAX, |packet| packet.at - from);
        if let Some(comfort) = line.comfort.filter(|comfort| comfort.at <= from) {
            let length = gap.min(HALF as i64);
            conceal.comfort(comfort.below, ahead.fill(length as usize));
            line.decoded += length;
            return;
        }
        let behind = next.filter(|packet| packet.codec == Codec::Opus && gap <= MOST_COPIED && gap % OPUS_GRAIN == 0);
        let length = if behind.is_some() { gap } else { gap.min(HALF as i64) };
        let sound = ahead.fill(length as usize);
        let by_codec = length % OPUS_GRAIN == 0
            && from - line.real < OPUS_GOES_ON
            && decoder.as_mut().is_some_and(|decoder| decoder.conceal(behind.as_ref().map(|packet| store.payload(packet)), sound));
        if by_codec {
            conceal.heard(sound);
        } else {
            conceal.missed(sound);
        }
        line.decoded += length;
        // Neither the delay before a line's first packet nor a peer's pause is a loss.
        if from >= 0 && line.end > from {
            self.concealed += length as u64;
        }
    }
}

impl Line {
    fn place(&self, timestamp: u32) -> i64 {
        self.stamp.1 + i64::from(timestamp.wrapping_sub(self.stamp.0).cast_signed()) / i64::from(self.scale)
    }
}

/// How the delay should change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wish {
    Stay,
    /// By so many samples at most.
    Shorter(usize, Care),
    Longer(Care),
}

impl Pace {
    /// What the delays of the last seconds wish, the present offset of what is played to the even clock given.
    fn wish(&mut self, delays: &Delays, offset: i64) -> Wish {
        self.packets += 1;
        if delays.count() < ENOUGH || self.packets < COOL {
            return Wish::Stay;
        }
        let care = if self.wished >= PATIENCE { Care::Anywhere } else { Care::Unheard };
        let spare = delays.least() - offset;
        let depth = delays.most() - offset;
        if spare < GUARD && depth < MOST_DEPTH {
            Wish::Longer(care)
        } else if spare >= MARGIN + STEP || depth > MOST_DEPTH + STEP {
            Wish::Shorter(usize::try_from((spare - MARGIN).max(STEP)).unwrap_or(0), care)
        } else {
            Wish::Stay
        }
    }

    fn settle(&mut self, wish: Wish, changed: bool) {
        if changed {
            *self = Pace::default();
        } else if wish == Wish::Stay {
            self.wished = 0;
        } else {
            self.wished += 1;
        }
    }
}

impl Wish {
    /// Changes the `length` samples at the beginning of `room`, which follow on `past`; gives their new count.
    fn stretch(self, past: &[i16; stretch::PAST], room: &mut [i16], length: usize) -> usize {
        match self {
            Wish::Stay => length,
            Wish::Shorter(most, care) => length - stretch::shorten(past, &mut room[..length], most, care),
            Wish::Longer(care) => length + stretch::lengthen(past, room, length, stretch::LONGEST, care),
        }
    }
}

/// Decoded sound that is not played yet.
#[derive(Debug)]
struct Ahead {
    samples: Box<[i16]>,
    start: usize,
    length: usize,
}

impl Default for Ahead {
    fn default() -> Ahead {
        Ahead { samples: vec![0; AHEAD].into(), start: 0, length: 0 }
    }
}

impl Ahead {
    fn clear(&mut self) {
        (self.start, self.length) = (0, 0);
    }

    /// The room behind what is there, moved to the front.
    fn room(&mut self) -> &mut [i16] {
        if self.start > 0 {
            self.samples.copy_within(self.start..self.start + self.length, 0);
            self.start = 0;
        }
        &mut self.samples[self.length..]
    }

    /// Adds so many samples, to be filled.
    fn fill(&mut self, count: usize) -> &mut [i16] {
        let before = self.length;
        self.room();
        self.length += count;
        &mut self.samples[before..before + count]
    }

    /// Takes a tick out.
    fn take(&mut self, pcm: &mut Pcm) {
        pcm.copy_from_slice(&self.samples[self.start..self.start + FRAME]);
        self.start += FRAME;
        self.length -= FRAME;
    }
}
