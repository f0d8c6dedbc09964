//! Datagrams that get lost, come twice, late, or in another order.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use hotline::control::random::Random;

/// How bad the network is, per thousand datagrams.
#[derive(Debug, Clone, Copy)]
pub struct Network {
    loss: u64,
    twice: u64,
    late: u64,
}

/// One datagram under way.
#[derive(Debug, Clone)]
pub struct Datagram {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub bytes: Bytes,
}

const USUAL_MICROS: u64 = 20_000;
const LATE_MICROS: u64 = 700_000;

impl Network {
    /// From perfect to bad, by seed.
    pub fn new(random: &mut Random) -> Network {
        match random.below(4) {
            0 => Network { loss: 0, twice: 0, late: 0 },
            1 => Network { loss: 10, twice: 5, late: 10 },
            2 => Network { loss: 50, twice: 30, late: 50 },
            _ => Network { loss: 150, twice: 50, late: 100 },
        }
    }

    /// After how long the datagram arrives: not at all, once, or twice.
    pub fn carry(&self, random: &mut Random) -> Vec<Duration> {
        let chance = |random: &mut Random, per_mille: u64| random.below(1_000) < per_mille;
        if chance(random, self.loss) {
            return Vec::new();
        }
        let copies = if chance(random, self.twice) { 2 } else { 1 };
        (0..copies)
            .map(|_| {
                let longest = if chance(random, self.late) { LATE_MICROS } else { USUAL_MICROS };
                Duration::from_micros(500 + random.below(longest))
            })
            .collect()
    }
}
