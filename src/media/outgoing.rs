//! The stream we send to one peer: one SSRC, one sequence and one time line, whether we make the sound or hand on another's packets.

use super::FRAME;
use super::rtp::Header;
use super::rtp::packet::HEADER_BYTES;
use super::rtp::rtcp::Sent;
use super::rtp::secrecy;
use super::rtp::srtp::LONGER;
use crate::control::words::media::Codec;

/// The longest payload that is handed on: 200 ms of G.711.
const MOST_PAYLOAD: usize = 1_600;
const TICK: u32 = FRAME as u32;
/// A packet handed on within a second of the one before is of the same time line.
const REJOIN_GAP: u32 = 8_000;

/// A packet further behind the first one is no straggler: its source counts anew (RFC 3550 §A.1, MAX_MISORDER).
const MOST_MISORDERED: i16 = 100;
/// The first number follows this far behind the present one: a stream of eleven minutes would come round to it otherwise.
const BEHIND: u16 = 1_000;

/// Sends one stream.
#[derive(Debug)]
pub struct Outgoing {
    /// The cipher that is put on.
    pub secrecy: secrecy::Outgoing,
    ssrc: u32,
    next_sequence: u16,
    /// Ticks of the RTP clock in a sample of the inside format.
    scale: u32,
    /// The timestamp of the present tick.
    clock: u32,
    /// Behind the last sample sent.
    end: u32,
    /// The first packet after a pause carries the marker.
    paused: bool,
    handed_on: Option<HandedOn>,
    press_start: u32,
    sent: u64,
    octets: u64,
    packet: [u8; HEADER_BYTES + MOST_PAYLOAD + LONGER],
}

/// The other's stream that is handed on, and how its numbers become ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct HandedOn {
    ssrc: u32,
    sequence_offset: u16,
    timestamp_offset: u32,
    /// The first sequence number that was handed on: older packets would collide with what we sent before.
    first: u16,
    last_timestamp: u32,
}

impl Outgoing {
    /// A stream that has sent nothing; `chance` makes its SSRC and first numbers (RFC 3550 §5.1).
    #[must_use]
    pub fn new(codec: Codec, chance: u64) -> Outgoing {
        Outgoing {
            secrecy: secrecy::Outgoing::default(),
            ssrc: (chance >> 32) as u32,
            next_sequence: (chance as u16) & 0x7FFF,
            scale: codec.ticks_a_sample(),
            clock: (chance >> 8) as u32,
            end: (chance >> 8) as u32,
            paused: true,
            handed_on: None,
            press_start: 0,
            sent: 0,
            octets: 0,
            packet: [0; HEADER_BYTES + MOST_PAYLOAD + LONGER],
        }
    }

    /// Another codec from now on. With another clock it is another source (RFC 7160 §4.1): its SSRC is the next number.
    pub fn retune(&mut self, codec: Codec) {
        if self.scale != codec.ticks_a_sample() {
            self.scale = codec.ticks_a_sample();
            self.ssrc = self.ssrc.wrapping_add(1);
            (self.end, self.handed_on, self.paused) = (self.clock, None, true);
        }
    }

    /// Packets sent so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// What reports say of it (RFC 3550 §6.4.1).
    #[must_use]
    pub fn reported(&self) -> Sent {
        // A stream that is handed on may be ahead of our own clock.
        let ahead = self.end.wrapping_sub(self.clock).cast_signed() > 0;
        let timestamp = if ahead { self.end } else { self.clock };
        Sent { ssrc: self.ssrc, timestamp, packets: self.sent as u32, octets: self.octets as u32 }
    }

    /// Our source.
    #[must_use]
    pub fn source(&self) -> u32 {
        self.ssrc
    }

    /// Moves the time line by 20 ms: once a tick, whether something is sent or not.
    pub fn tick(&mut self) {
        self.clock = self.clock.wrapping_add(TICK * self.scale);
    }

    /// A packet of our own sound for this tick.
    pub fn sound(&mut self, payload_type: u8, payload: &[u8]) -> &[u8] {
        self.own();
        let marker = std::mem::replace(&mut self.paused, false);
        let timestamp = self.clock;
        self.end = timestamp.wrapping_add(TICK * self.scale);
        self.write(marker, payload_type, timestamp, payload)
    }

    /// Nothing is sent in this tick: the next packet begins a talk spurt.
    pub fn pause(&mut self) {
        self.paused = true;
    }

    /// A packet of a key (RFC 4733 §2.5.1): all packets of a press carry the timestamp of its first.
    pub fn key(&mut self, payload_type: u8, first: bool, payload: &[u8]) -> &[u8] {
        self.own();
        if first {
            self.press_start = self.clock;
        }
        self.end = self.clock.wrapping_add(TICK * self.scale);
        self.paused = true;
        self.write(first, payload_type, self.press_start, payload)
    }

    /// Hands on a packet of another stream in the same codec, that lasts so many samples: its order, losses and timing stay as they are.
    /// `None` for a packet from before the handing on began, or one that is too long.
    pub fn hand_on(&mut self, header: &Header, payload_type: u8, payload: &[u8], samples: usize) -> Option<&[u8]> {
        let gap = (REJOIN_GAP * self.scale).cast_signed();
        let ahead = |on: &HandedOn| header.sequence.wrapping_sub(on.first).cast_signed();
        let is_same = |on: &HandedOn| on.ssrc == header.ssrc && near(header.timestamp, on.last_timestamp, gap);
        let fits = self.handed_on.filter(|on| is_same(on) && ahead(on) >= -MOST_MISORDERED);
        let mut on = fits.unwrap_or_else(|| self.begin(header));
        if ahead(&on) < 0 || payload.len() > MOST_PAYLOAD {
            return None;
        }
        if ahead(&on).unsigned_abs() > 2 * BEHIND {
            on.first = header.sequence.wrapping_sub(BEHIND);
        }
        on.last_timestamp = header.timestamp;
        let marker = header.marker || fits.is_none();
        self.handed_on = Some(on);
        let sequence = header.sequence.wrapping_add(on.sequence_offset);
        if self.secrecy.has_sent(sequence) {
            return None;
        }
        let timestamp = header.timestamp.wrapping_add(on.timestamp_offset);
        let end = timestamp.wrapping_add(samples as u32 * self.scale);
        if end.wrapping_sub(self.end).cast_signed() > 0 {
            self.end = end;
        }
        let next = sequence.wrapping_add(1);
        if next.wrapping_sub(self.next_sequence).cast_signed() > 0 {
            self.next_sequence = next;
        }
        self.paused = false;
        Some(self.put(marker, payload_type, sequence, timestamp, payload))
    }

    /// A packet of the stream that is handed on stays out: its number must not look like a loss to our peer.
    pub fn skip(&mut self, header: &Header) {
        if let Some(on) = &mut self.handed_on
            && on.ssrc == header.ssrc
        {
            on.sequence_offset = on.sequence_offset.wrapping_sub(1);
        }
    }

    /// The stream handed on is left: our own time line goes on behind what was sent.
    fn own(&mut self) {
        if self.handed_on.take().is_some() {
            self.paused = true;
        }
        if self.clock.wrapping_sub(self.end).cast_signed() < 0 {
            self.clock = self.end;
        }
    }

    fn begin(&self, header: &Header) -> HandedOn {
        let start = if self.clock.wrapping_sub(self.end).cast_signed() < 0 { self.end } else { self.clock };
        HandedOn {
            ssrc: header.ssrc,
            sequence_offset: self.next_sequence.wrapping_sub(header.sequence),
            timestamp_offset: start.wrapping_sub(header.timestamp),
            first: header.sequence,
            last_timestamp: header.timestamp,
        }
    }

    fn write(&mut self, marker: bool, payload_type: u8, timestamp: u32, payload: &[u8]) -> &[u8] {
        let sequence = self.next_sequence;
        self.next_sequence = sequence.wrapping_add(1);
        self.put(marker, payload_type, sequence, timestamp, payload)
    }

    fn put(&mut self, marker: bool, payload_type: u8, sequence: u16, timestamp: u32, payload: &[u8]) -> &[u8] {
        let length = payload.len().min(MOST_PAYLOAD);
        self.packet[..HEADER_BYTES].copy_from_slice(&Header { marker, payload_type, sequence, timestamp, ssrc: self.ssrc }.print());
        self.packet[HEADER_BYTES..HEADER_BYTES + length].copy_from_slice(&payload[..length]);
        self.sent += 1;
        self.octets += length as u64;
        let length = self.secrecy.seal(&mut self.packet, HEADER_BYTES + length);
        &self.packet[..length]
    }
}

fn near(timestamp: u32, before: u32, gap: i32) -> bool {
    timestamp.wrapping_sub(before).cast_signed().abs() <= gap
}

#[cfg(test)]
mod tests {
    use super::*;

    fn theirs(n: u16) -> Header {
        Header { marker: false, payload_type: 0, sequence: 65_530u16.wrapping_add(n), timestamp: 77 + 160 * u32::from(n), ssrc: 9 }
    }

    fn read(packet: &[u8]) -> Header {
        Header::parse(packet).unwrap().0
    }

    #[test]
    fn own_sound_then_handed_on_packets_then_own_sound_is_one_steady_stream() {
        let mut out = Outgoing::new(Codec::Pcmu, 0x1234_5678_9ABC_DEF0);
        let mut seen = Vec::new();
        for n in 0..30u16 {
            out.tick();
            let packet = if (10..20).contains(&n) { out.hand_on(&theirs(n), 0, &[1; 160], 160).unwrap() } else { out.sound(0, &[2; 160]) };
            seen.push(read(packet));
        }
        assert!(seen.windows(2).all(|pair| pair[1].sequence == pair[0].sequence.wrapping_add(1) && pair[0].ssrc == pair[1].ssrc));
        assert!(seen.windows(2).all(|pair| pair[1].timestamp == pair[0].timestamp.wrapping_add(160)), "{seen:?}");
        let markers: Vec<usize> = (0..30).filter(|n| seen[*n].marker).collect();
        assert_eq!(markers, [0, 10, 20]);
    }

    #[test]
    fn losses_and_reordering_of_the_handed_on_stream_stay_visible() {
        let mut out = Outgoing::new(Codec::Pcmu, 7);
        out.tick();
        let first = read(out.hand_on(&theirs(5), 0, &[1; 160], 160).unwrap());
        let third = read(out.hand_on(&theirs(7), 0, &[1; 160], 160).unwrap());
        let second = read(out.hand_on(&theirs(6), 0, &[1; 160], 160).unwrap());
        assert_eq!((third.sequence.wrapping_sub(first.sequence), second.sequence.wrapping_sub(first.sequence)), (2, 1));
        assert_eq!(third.timestamp.wrapping_sub(first.timestamp), 320);
        assert!(out.hand_on(&theirs(4), 0, &[1; 160], 160).is_none(), "from before the beginning");
        out.tick();
        assert_eq!(read(out.sound(0, &[0; 160])).sequence, third.sequence.wrapping_add(1));
    }

    #[test]
    fn a_stream_that_is_handed_on_for_hours_comes_round_to_its_first_number_without_a_loss() {
        let mut out = Outgoing::new(Codec::Pcmu, 7);
        let mut last: Option<Header> = None;
        for n in 0..200_000u32 {
            out.tick();
            let header = Header { marker: false, payload_type: 0, sequence: n as u16, timestamp: n.wrapping_mul(160), ssrc: 9 };
            let packet = read(out.hand_on(&header, 0, &[1; 160], 160).unwrap_or_else(|| panic!("packet {n} is lost")));
            assert!(last.is_none_or(|last| packet.sequence == last.sequence.wrapping_add(1)), "packet {n}");
            last = Some(packet);
        }
    }

    #[test]
    fn a_source_that_counts_anew_far_below_is_handed_on_at_once() {
        let mut out = Outgoing::new(Codec::Pcmu, 7);
        let packet = |sequence: u16, n: u32| Header { marker: false, payload_type: 0, sequence, timestamp: n * 160, ssrc: 9 };
        out.tick();
        let before = read(out.hand_on(&packet(30_000, 0), 0, &[1; 160], 160).unwrap());
        out.tick();
        let after = read(out.hand_on(&packet(10_000, 1), 0, &[1; 160], 160).unwrap());
        assert_eq!((after.sequence, after.timestamp), (before.sequence.wrapping_add(1), before.timestamp.wrapping_add(160)));
    }

    #[test]
    fn packets_of_a_key_share_a_timestamp_and_sound_follows_behind() {
        let mut out = Outgoing::new(Codec::Pcmu, 7);
        let mut stamps = Vec::new();
        for n in 0..3 {
            out.tick();
            stamps.push(read(out.key(101, n == 0, &[5, 10, 0, 160])).timestamp);
        }
        assert!(stamps.iter().all(|stamp| *stamp == stamps[0]));
        out.tick();
        let sound = read(out.sound(0, &[0; 160]));
        assert_eq!(sound.timestamp.wrapping_sub(stamps[0]), 480);
        assert!(sound.marker);
    }

    #[test]
    fn a_codec_with_another_clock_is_another_source_and_counts_in_its_clock() {
        let mut out = Outgoing::new(Codec::Pcmu, 7);
        out.tick();
        let narrow = read(out.sound(0, &[0; 160]));
        out.retune(Codec::Opus);
        let wide: Vec<Header> = (0..2)
            .map(|_| {
                out.tick();
                read(out.sound(107, &[0; 40]))
            })
            .collect();
        assert!(wide[0].ssrc != narrow.ssrc && wide[0].marker && !wide[1].marker);
        assert_eq!(wide[1].timestamp.wrapping_sub(wide[0].timestamp), 960);
        assert_eq!(wide[0].sequence, narrow.sequence.wrapping_add(1));
        out.retune(Codec::G722);
        out.retune(Codec::Pcma);
        assert_eq!(read(out.sound(8, &[0; 160])).ssrc, wide[0].ssrc.wrapping_add(1));
    }
}
