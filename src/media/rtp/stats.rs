//! Counting one incoming stream: sequence numbers unwrapped, losses, duplicates, interarrival jitter (RFC 3550 A.1, A.3, A.8).

use std::time::Duration;

use super::Header;
use crate::control::words::media::Gaps;
use crate::media::RATE;

const SEEN: i64 = 64;
const JUMP: i64 = 3_000;
const JITTER_SHARE: f64 = 1.0 / 16.0;
const MICROS: f64 = 1e6;
const MILLIS: f64 = 1e3;
/// Packets are made so far apart.
const STEP_MS: f64 = 20.0;

/// How a packet stands to those before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// The newest so far, this many numbers after the one before (1 = in order).
    Ahead(u16),
    /// A late packet that was not there yet.
    Reordered,
    /// A packet that was there already.
    Duplicate,
    /// The first packet, a new source, or a jump in the numbers: a new stream begins.
    Restart,
}

/// The counts of one incoming stream. A new source or a jump begins a new count; the sums are kept.
#[derive(Clone, Debug, Default)]
pub struct Reception {
    ssrc: Option<u32>,
    first: i64,
    highest: i64,
    /// Bit n: the packet n before the highest was there.
    seen: u64,
    received: u64,
    settled_received: u64,
    settled_expected: u64,
    transit: Option<f64>,
    jitter: f64,
    /// Ticks of the timestamp in a sample of 8 kHz.
    scale: f64,
    gaps: Gaps,
}

impl Reception {
    /// Counts a packet.
    pub fn take(&mut self, header: &Header) -> Arrival {
        if self.ssrc != Some(header.ssrc) {
            return self.restart(header);
        }
        let ahead = i64::from(header.sequence.wrapping_sub(self.highest as u16).cast_signed());
        if ahead.abs() > JUMP {
            return self.restart(header);
        }
        if ahead > 0 {
            self.highest += ahead;
            self.seen = if ahead < SEEN { (self.seen << ahead) | 1 } else { 1 };
            self.received += 1;
            return Arrival::Ahead(ahead as u16);
        }
        let bit = if ahead > -SEEN { 1u64 << -ahead } else { 0 };
        if bit == 0 || self.seen & bit != 0 {
            return Arrival::Duplicate;
        }
        self.seen |= bit;
        self.received += 1;
        self.first = self.first.min(self.highest + ahead);
        Arrival::Reordered
    }

    /// Measures the jitter of an audio packet that came at `now`, its RTP clock in hertz given.
    pub fn measure(&mut self, header: &Header, now: Duration, clock: u32) {
        let arrival = now.as_micros() as f64 * f64::from(RATE) / MICROS;
        self.scale = f64::from(clock) / f64::from(RATE);
        let transit = arrival - f64::from(header.timestamp) / self.scale;
        if let Some(before) = self.transit.replace(transit) {
            let change = (transit - before).abs();
            // A new talk spurt or a wrap of the timestamp says nothing about the network.
            if change < f64::from(RATE) {
                self.jitter += (change - self.jitter) * JITTER_SHARE;
                self.gaps.add((transit - before) * MILLIS / f64::from(RATE) + STEP_MS);
            }
        }
    }

    /// Packets that came, duplicates not counted.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.settled_received + self.received
    }

    /// Packets that never came.
    #[must_use]
    pub fn lost(&self) -> u64 {
        (self.settled_expected + self.expected()).saturating_sub(self.received())
    }

    /// Interarrival jitter in milliseconds.
    #[must_use]
    pub fn jitter_ms(&self) -> f32 {
        (self.jitter * 1_000.0 / f64::from(RATE)) as f32
    }

    /// How far apart packets came.
    #[must_use]
    pub fn gaps(&self) -> Gaps {
        self.gaps
    }

    /// The source of the present stream.
    #[must_use]
    pub fn source(&self) -> Option<u32> {
        self.ssrc
    }

    /// The highest sequence number of the present stream, with its wraps in the upper half.
    #[must_use]
    pub fn highest(&self) -> u32 {
        self.highest as u32
    }

    /// Interarrival jitter in units of the timestamp.
    #[must_use]
    pub fn jitter_units(&self) -> u32 {
        (self.jitter * self.scale) as u32
    }

    fn expected(&self) -> u64 {
        if self.received == 0 { 0 } else { u64::try_from(self.highest - self.first + 1).unwrap_or(0) }
    }

    fn restart(&mut self, header: &Header) -> Arrival {
        self.settled_expected += self.expected();
        self.settled_received += self.received;
        self.ssrc = Some(header.ssrc);
        self.first = i64::from(header.sequence);
        self.highest = self.first;
        self.seen = 1;
        self.received = 1;
        self.transit = None;
        Arrival::Restart
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(sequence: u16) -> Header {
        Header { marker: false, payload_type: 0, sequence, timestamp: u32::from(sequence).wrapping_mul(160), ssrc: 1 }
    }

    #[test]
    fn a_wrap_is_no_loss() {
        let mut stream = Reception::default();
        assert_eq!(stream.take(&packet(65_534)), Arrival::Restart);
        assert_eq!(stream.take(&packet(65_535)), Arrival::Ahead(1));
        assert_eq!(stream.take(&packet(0)), Arrival::Ahead(1));
        assert_eq!(stream.take(&packet(2)), Arrival::Ahead(2));
        assert_eq!((stream.received(), stream.lost()), (4, 1));
        assert_eq!(stream.take(&packet(1)), Arrival::Reordered);
        assert_eq!(stream.take(&packet(1)), Arrival::Duplicate);
        assert_eq!((stream.received(), stream.lost()), (5, 0));
    }

    #[test]
    fn a_new_source_keeps_the_sums() {
        let mut stream = Reception::default();
        stream.take(&packet(10));
        stream.take(&packet(12));
        assert_eq!(stream.take(&Header { ssrc: 2, ..packet(40_000) }), Arrival::Restart);
        assert_eq!((stream.received(), stream.lost()), (3, 1));
    }

    #[test]
    fn jitter_grows_with_uneven_arrival_only() {
        let mut even = Reception::default();
        let mut uneven = Reception::default();
        for at in 0..500u16 {
            let ideal = Duration::from_millis(20 * u64::from(at));
            even.measure(&packet(at), ideal, RATE);
            uneven.measure(&packet(at), ideal + Duration::from_millis(u64::from(at % 2) * 10), RATE);
        }
        assert!(even.jitter_ms() < 0.01);
        assert!((uneven.jitter_ms() - 10.0).abs() < 0.1, "{}", uneven.jitter_ms());
    }
}
