//! The jitter buffer: one second of wire sound by timestamp, read 20 ms a tick, with a delay that grows at once when packets come
//! late and shrinks slowly when they all come early. A drifting clock is met by the same two moves.

use super::codec::g711;
use super::{FRAME, Pcm};
use crate::control::words::media::Codec;

/// Samples of the smallest piece that is present or missing: 10 ms.
pub const HALF: usize = FRAME / 2;

const HALVES: usize = 100;
const SPAN: i64 = (HALVES * HALF) as i64;
const STEP: i64 = HALF as i64;
const TICK: i64 = FRAME as i64;

/// Delay at the start of a stream, from arrival to playing: 30 ms.
const FIRST_DEPTH: i64 = 240;
/// The most that the buffer delays: 240 ms.
const MOST_DEPTH: i64 = 1_920;
/// Packets that decide whether the delay may shrink: 2 s at 20 ms.
const WINDOW: u32 = 100;
/// Slack that always stays: 5 ms.
const MARGIN: i64 = 40;
/// Late packets in a row that mean a new time line.
const LOST_TRACK: u32 = 10;
/// Ticks without any sound after which the next packet begins a new time line: 1 s.
const IDLE_TICKS: u32 = 50;
/// A talk spurt that begins so much earlier or later than expected (100 ms) is placed anew.
const MISPLACED: i64 = 800;

/// What became of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inserted {
    /// It will be heard.
    Stored,
    /// It came after its turn.
    Late,
}

/// Which halves of a tick have sound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Present(pub [bool; 2]);

/// The buffer of one incoming stream.
#[derive(Clone, Debug)]
pub struct Jitter {
    /// Made by the first packet: legs whose packets are handed on, or that never send any, do without.
    ring: Vec<u8>,
    filled: [u8; HALVES],
    /// The time line: `None` until a packet sets it.
    line: Option<Line>,
    depth: i64,
    late_in_a_row: u32,
    window: Window,
}

#[derive(Clone, Debug)]
struct Line {
    /// The sample to be played next, unwrapped.
    read: i64,
    /// Behind the last sample that is stored.
    end: i64,
    /// The newest timestamp, as it came and unwrapped.
    stamp: (u32, i64),
    codec: Codec,
    empty_ticks: u32,
}

/// The least slack of the packets since the last decision.
#[derive(Clone, Copy, Debug)]
struct Window {
    packets: u32,
    least: i64,
}

const FRESH: Window = Window { packets: 0, least: i64::MAX };

impl Default for Jitter {
    fn default() -> Jitter {
        Jitter { ring: Vec::new(), filled: [0; HALVES], line: None, depth: FIRST_DEPTH, late_in_a_row: 0, window: FRESH }
    }
}

impl Jitter {
    /// Forgets the time line: the next packet begins a new one (new source, jump in the sequence numbers).
    pub fn restart(&mut self) {
        self.line = None;
        self.filled.fill(0);
        self.window = FRESH;
        self.late_in_a_row = 0;
    }

    /// Takes a packet's sound. `spurt`: it is marked as the first after a pause.
    pub fn insert(&mut self, timestamp: u32, codec: Codec, payload: &[u8], spurt: Spurt) -> Inserted {
        let at = self.place(timestamp, codec, spurt);
        let Some(line) = &self.line else { return Inserted::Late };
        let slack = at - line.read;
        if slack < 0 && !self.make_room(-slack) {
            return Inserted::Late;
        }
        self.late_in_a_row = 0;
        self.window = Window { packets: self.window.packets + 1, least: self.window.least.min(slack.max(0)) };
        self.store(at, codec, payload);
        Inserted::Stored
    }

    /// Gives the next 20 ms; halves that are missing keep what `pcm` holds.
    pub fn pop(&mut self, pcm: &mut Pcm) -> Present {
        let Some(line) = &mut self.line else { return Present([false; 2]) };
        line.empty_ticks = if line.end <= line.read { line.empty_ticks + 1 } else { 0 };
        if line.empty_ticks > IDLE_TICKS {
            self.restart();
            return Present([false; 2]);
        }
        let (read, codec) = (line.read, line.codec);
        let skip = self.wants_to_shrink();
        let halves = [self.take(read, codec, &mut pcm[..HALF]), self.take(read + STEP, codec, &mut pcm[HALF..])];
        let mut moved = TICK;
        if skip {
            moved += STEP;
            self.blend(read + TICK, codec, halves[1], &mut pcm[HALF..]);
        }
        if let Some(line) = &mut self.line {
            line.read += moved;
        }
        Present(halves)
    }

    /// How long sound waits here, in samples: from the next to be played to the newest.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.line.as_ref().map_or(0, |line| usize::try_from(line.end - line.read).unwrap_or(0))
    }

    /// Unwraps the timestamp and sets or moves the time line where the packet cannot be played on the present one.
    fn place(&mut self, timestamp: u32, codec: Codec, spurt: Spurt) -> i64 {
        if let Some(line) = &mut self.line {
            let at = line.stamp.1 + i64::from(timestamp.wrapping_sub(line.stamp.0).cast_signed());
            let slack = at - line.read;
            let fits = (0..self.depth + MISPLACED).contains(&slack) && at % STEP == 0;
            let pause_over = spurt == Spurt::First && line.end <= line.read && !fits;
            let jumped = !(-SPAN..=SPAN - 2 * TICK).contains(&slack);
            if !pause_over && !jumped && self.late_in_a_row < LOST_TRACK {
                if at > line.stamp.1 {
                    line.stamp = (timestamp, at);
                }
                return at;
            }
        }
        self.restart();
        // The time line starts at zero with its first packet, so that packets lie on our 10 ms grid whatever their timestamps are.
        self.line = Some(Line { read: -self.depth, end: 0, stamp: (timestamp, 0), codec, empty_ticks: 0 });
        0
    }

    /// A packet is `late` samples behind its turn: plays the rest later, if the delay may still grow.
    fn make_room(&mut self, late: i64) -> bool {
        let grow = (late + STEP - 1) / STEP * STEP;
        if self.depth + grow > MOST_DEPTH {
            self.late_in_a_row += 1;
            return false;
        }
        self.depth += grow;
        self.window = FRESH;
        if let Some(line) = &mut self.line {
            line.read -= grow;
        }
        true
    }

    /// All packets of a whole window came early enough to do with 10 ms less.
    fn wants_to_shrink(&mut self) -> bool {
        if self.window.packets < WINDOW {
            return false;
        }
        let spare = self.window.least - MARGIN;
        self.window = FRESH;
        let shrinks = spare >= STEP;
        if shrinks {
            self.depth = (self.depth - STEP).max(STEP);
        }
        shrinks
    }

    fn store(&mut self, at: i64, codec: Codec, payload: &[u8]) {
        let Some(line) = &mut self.line else { return };
        let length = payload.len().min(HALVES * HALF / 2);
        line.end = line.end.max(at + length as i64);
        let same = line.codec == codec;
        let kept = line.codec;
        let mut place = at.rem_euclid(SPAN) as usize;
        self.ring.resize(HALVES * HALF, 0);
        for byte in &payload[..length] {
            self.ring[place] = if same { *byte } else { g711::encode(kept, g711::decode(codec, *byte)) };
            place += 1;
            if place == HALVES * HALF {
                place = 0;
            }
        }
        self.mark(at, length);
    }

    fn mark(&mut self, at: i64, length: usize) {
        let mut place = at.rem_euclid(SPAN) as usize;
        let mut left = length;
        while left > 0 {
            let here = (HALF - place % HALF).min(left);
            let filled = &mut self.filled[place / HALF];
            *filled = (*filled + here as u8).min(HALF as u8);
            left -= here;
            place = (place + here) % (HALVES * HALF);
        }
    }

    /// Decodes 10 ms from `at` and empties their place; false when a sample is missing.
    fn take(&mut self, at: i64, codec: Codec, pcm: &mut [i16]) -> bool {
        let place = at.rem_euclid(SPAN) as usize;
        let (slot, inside) = (place / HALF, place % HALF);
        let next = (slot + 1) % HALVES;
        // Packets that do not lie on our 10 ms grid share two slots.
        let there = usize::from(self.filled[slot]) == HALF && (inside == 0 || usize::from(self.filled[next]) >= inside);
        if there {
            let first = HALF - inside;
            g711::decode_into(codec, &self.ring[place..place + first], &mut pcm[..first]);
            g711::decode_into(codec, &self.ring[next * HALF..next * HALF + inside], &mut pcm[first..]);
        }
        self.filled[slot] = 0;
        there
    }

    /// Drops 10 ms by fading from the half before into the half behind it.
    fn blend(&mut self, at: i64, codec: Codec, there: bool, pcm: &mut [i16]) {
        let mut next = [0i16; HALF];
        if !self.take(at, codec, &mut next) || !there {
            return;
        }
        for (at, (sample, next)) in pcm.iter_mut().zip(next).enumerate() {
            let share = (at + 1) as i32;
            let mixed = i32::from(*sample) * (HALF as i32 - share) + i32::from(next) * share;
            *sample = (mixed / HALF as i32) as i16;
        }
    }
}

/// Does a packet begin a talk spurt (marker bit, RFC 3551 §4.1)?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spurt {
    /// It does.
    First,
    /// It goes on.
    Within,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::random::Random;

    /// Each packet carries its number as an A-law byte, so that what is heard says which packet it was.
    fn sound(number: usize) -> [u8; FRAME] {
        [u8::try_from(number % 100).unwrap(); FRAME]
    }

    fn stamp(number: usize) -> u32 {
        (0xFFFF_F000u32 + 37).wrapping_add(u32::try_from(number * FRAME).unwrap())
    }

    /// Packets come at these times (milliseconds); ticks are at 7, 27, 47 …; gives what each tick heard (`None` = missing).
    fn played(arrivals: &[(f64, usize)], ticks: usize) -> (Vec<Option<usize>>, Jitter) {
        let mut sorted = arrivals.to_vec();
        sorted.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut jitter = Jitter::default();
        let mut waiting = sorted.into_iter().peekable();
        let heard = (0..ticks)
            .map(|tick| {
                while let Some((_, number)) = waiting.next_if(|(at, _)| *at <= 7.0 + 20.0 * tick as f64) {
                    jitter.insert(stamp(number), Codec::Pcma, &sound(number), if number == 0 { Spurt::First } else { Spurt::Within });
                }
                let mut pcm = [0; FRAME];
                let Present(halves) = jitter.pop(&mut pcm);
                halves[1].then(|| (0..100).find(|byte| g711::decode(Codec::Pcma, *byte) == pcm[FRAME - 1]).map_or(999, usize::from))
            })
            .collect();
        (heard, jitter)
    }

    fn lost(heard: &[Option<usize>]) -> usize {
        heard.iter().filter(|number| number.is_none()).count()
    }

    #[test]
    fn packets_in_order_are_heard_in_order_across_the_wrap_of_the_timestamp() {
        let arrivals: Vec<(f64, usize)> = (0..60).map(|n| (n as f64 * 20.0, n)).collect();
        let (heard, _) = played(&arrivals, 60);
        let first = heard.iter().position(Option::is_some).unwrap();
        assert!(first <= 2, "the first sound waits {first} ticks");
        assert!(heard[first..].iter().enumerate().all(|(at, number)| *number == Some(at)), "{heard:?}");
    }

    #[test]
    fn reordered_packets_are_put_right_and_lost_ones_leave_a_hole() {
        let mut arrivals: Vec<(f64, usize)> = (0..60).map(|n| (n as f64 * 20.0, n)).collect();
        arrivals[20].0 += 25.0;
        arrivals.remove(40);
        let (heard, _) = played(&arrivals, 60);
        let numbers: Vec<usize> = heard.iter().flatten().copied().collect();
        assert!(numbers.is_sorted(), "{heard:?}");
        assert!(numbers.contains(&20) && !numbers.contains(&40));
    }

    #[test]
    fn jitter_of_60_ms_is_absorbed_after_a_short_while() {
        let mut random = Random::new(60);
        let arrivals: Vec<(f64, usize)> = (0..1_000).map(|n| (n as f64 * 20.0 + random.unit() * 60.0, n)).collect();
        let (heard, jitter) = played(&arrivals, 1_000);
        assert!(lost(&heard[100..]) <= 9, "{} of 900 missing", lost(&heard[100..]));
        assert!(jitter.depth <= 1_000, "delay {} samples", jitter.depth);
    }

    #[test]
    fn the_delay_shrinks_when_the_network_calms_down() {
        let mut random = Random::new(61);
        let arrivals: Vec<(f64, usize)> =
            (0..3_000).map(|n| (n as f64 * 20.0 + if n < 200 { random.unit() * 80.0 } else { 0.0 }, n)).collect();
        let (heard, jitter) = played(&arrivals, 3_000);
        assert!(lost(&heard[300..]) == 0);
        assert!(jitter.waiting() <= 3 * FRAME, "{} samples wait", jitter.waiting());
    }

    #[test]
    fn a_drifting_clock_neither_starves_nor_fills_the_buffer() {
        for ppm in [-100.0, 100.0] {
            let hour = 180_000;
            let arrivals: Vec<(f64, usize)> = (0..hour).map(|n| (n as f64 * 20.0 * (1.0 + ppm * 1e-6), n)).collect();
            let (heard, jitter) = played(&arrivals, hour - 100);
            assert!(jitter.waiting() <= 4 * FRAME, "{ppm} ppm: {} samples wait", jitter.waiting());
            assert!(lost(&heard) <= 80, "{ppm} ppm: {} missing", lost(&heard));
        }
    }

    #[test]
    fn a_jump_of_the_timestamp_begins_a_new_line() {
        let mut jitter = Jitter::default();
        let mut pcm = [0; FRAME];
        for n in 0..20usize {
            let jump = if n < 10 { 0 } else { 3_000_000_000 };
            jitter.insert(stamp(n).wrapping_add(jump), Codec::Pcmu, &sound(n), Spurt::Within);
            jitter.pop(&mut pcm);
        }
        assert_eq!(jitter.pop(&mut pcm), Present([true; 2]));
        assert_eq!(pcm[FRAME - 1], g711::decode(Codec::Pcmu, 19));
    }

    #[test]
    fn a_pause_with_a_new_time_line_is_heard_at_once_when_speech_goes_on() {
        let mut arrivals: Vec<(f64, usize)> = (0..20).map(|n| (n as f64 * 20.0, n)).collect();
        arrivals.extend((20..40).map(|n| (n as f64 * 20.0 + 500.0, n)));
        let (heard, _) = played(&arrivals, 90);
        assert!(heard[50..].iter().flatten().count() >= 10, "{heard:?}");
    }

    #[test]
    fn another_law_in_mid_stream_is_understood() {
        let mut jitter = Jitter::default();
        let mut pcm = [0; FRAME];
        for n in 0..6usize {
            let codec = if n < 3 { Codec::Pcmu } else { Codec::Pcma };
            let payload = [g711::encode(codec, 8_000); FRAME];
            jitter.insert(stamp(n), codec, &payload, Spurt::Within);
            jitter.pop(&mut pcm);
        }
        jitter.pop(&mut pcm);
        assert!((i32::from(pcm[0]) - 8_000).abs() < 500, "{}", pcm[0]);
    }
}
