//! Packets that wait for their turn, by their place on the time line; their bytes lie in one ring.

use crate::control::words::media::Codec;

/// Packets that may wait: 640 ms of the shortest.
const MOST_PACKETS: usize = 64;
/// Their bytes: as many of the largest codec, L16.
const BYTES: usize = 10_240;
/// The longest payload.
const MOST_BYTES: usize = 1_500;

/// A packet that waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Waiting {
    /// Its first sample on the time line.
    pub at: i64,
    /// How long it lasts, in samples.
    pub samples: usize,
    /// Its codec.
    pub codec: Codec,
    start: usize,
    length: usize,
}

impl Waiting {
    /// Behind its last sample.
    pub fn end(&self) -> i64 {
        self.at + self.samples as i64
    }
}

/// The packets, first to be played first.
#[derive(Debug)]
pub struct Store {
    waiting: Vec<Waiting>,
    bytes: Box<[u8]>,
    free: usize,
}

impl Default for Store {
    fn default() -> Store {
        Store { waiting: Vec::with_capacity(MOST_PACKETS), bytes: vec![0; BYTES].into(), free: 0 }
    }
}

impl Store {
    /// Takes a packet in; a second one for the same place, or one that is too long, stays out. When there is no room the oldest
    /// goes: it waited longer than the buffer may delay.
    pub fn insert(&mut self, at: i64, samples: usize, codec: Codec, payload: &[u8]) {
        let length = payload.len();
        if length > MOST_BYTES || self.waiting.iter().any(|one| one.at == at) {
            return;
        }
        if self.waiting.len() == MOST_PACKETS {
            self.waiting.remove(0);
        }
        let start = if self.free + length > BYTES { 0 } else { self.free };
        self.free = start + length;
        self.waiting.retain(|one| one.start >= start + length || one.start + one.length <= start);
        self.bytes[start..start + length].copy_from_slice(payload);
        let place = self.waiting.iter().rposition(|one| one.at < at).map_or(0, |before| before + 1);
        self.waiting.insert(place, Waiting { at, samples, codec, start, length });
    }

    /// The next packet.
    pub fn first(&self) -> Option<Waiting> {
        self.waiting.first().copied()
    }

    /// A packet's bytes, until the next is inserted.
    pub fn payload(&self, packet: &Waiting) -> &[u8] {
        &self.bytes[packet.start..packet.start + packet.length]
    }

    /// Drops the next packet.
    pub fn drop_first(&mut self) {
        if !self.waiting.is_empty() {
            self.waiting.remove(0);
        }
    }

    /// Drops all.
    pub fn clear(&mut self) {
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_come_out_in_order_each_with_its_bytes() {
        let mut store = Store::default();
        for at in [320, 0, 160, 160, 480] {
            store.insert(at, 160, Codec::Pcmu, &[u8::try_from(at / 160).unwrap(); 160]);
        }
        for number in 0..4u8 {
            let packet = store.first().unwrap();
            assert_eq!((packet.at, store.payload(&packet)[159]), (160 * i64::from(number), number));
            store.drop_first();
        }
        assert!(store.first().is_none());
    }

    #[test]
    fn the_oldest_goes_when_there_is_no_room() {
        let mut store = Store::default();
        (0..100).for_each(|number| store.insert(number * 80, 80, Codec::L16, &[u8::try_from(number).unwrap(); 160]));
        let packet = store.first().unwrap();
        assert_eq!(store.payload(&packet)[0], u8::try_from(packet.at / 80).unwrap());
        assert!(packet.at > 0);
    }
}
