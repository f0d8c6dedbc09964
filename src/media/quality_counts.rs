//! How the patches of all legs are spread, for the metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::control::words::media::Patch;

const BUCKETS: usize = 8;
const PARTS: f32 = 1_000.0;

/// What is counted of a patch: its name, what it is, the upper bounds of its buckets, and where it stands in a patch.
pub struct Measure {
    /// Of the metric, without prefix.
    pub name: &'static str,
    /// What it is.
    pub help: &'static str,
    /// Upper bounds of the buckets; what is above all of them is in the last.
    pub bounds: [f32; BUCKETS - 1],
    of: fn(&Patch) -> Option<f32>,
}

/// All of them.
pub const MEASURES: [Measure; 4] = [
    Measure {
        name: "media_mos",
        help: "Opinion scores (ITU-T G.107) of legs, every five seconds",
        bounds: [2.0, 2.6, 3.1, 3.6, 4.0, 4.2, 4.35],
        of: |patch| Some(patch.mos),
    },
    Measure {
        name: "media_loss_percent",
        help: "Packets that never came or came too late, of legs, every five seconds",
        bounds: [0.0, 0.5, 1.0, 3.0, 5.0, 10.0, 20.0],
        of: |patch| Some(patch.loss_percent),
    },
    Measure {
        name: "media_jitter_milliseconds",
        help: "Interarrival jitter of legs, every five seconds",
        bounds: [1.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0],
        of: |patch| Some(patch.jitter_ms),
    },
    Measure {
        name: "media_round_trip_milliseconds",
        help: "Round trips of legs whose peers report, every five seconds",
        bounds: [5.0, 20.0, 50.0, 100.0, 200.0, 400.0, 800.0],
        of: |patch| patch.rtt_ms,
    },
];

/// Patches since they were last read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct QualityTally {
    buckets: [[u64; BUCKETS]; MEASURES.len()],
    thousandths: [u64; MEASURES.len()],
}

impl QualityTally {
    /// Counts a patch.
    pub fn add(&mut self, patch: &Patch) {
        for (at, measure) in MEASURES.iter().enumerate() {
            let Some(value) = (measure.of)(patch) else { continue };
            let bucket = measure.bounds.iter().position(|bound| value <= *bound).unwrap_or(BUCKETS - 1);
            self.buckets[at][bucket] += 1;
            self.thousandths[at] += (value * PARTS) as u64;
        }
    }
}

/// Patches since the start; read at any time from any thread.
#[derive(Debug, Default)]
pub struct QualityCounts {
    buckets: [[AtomicU64; BUCKETS]; MEASURES.len()],
    thousandths: [AtomicU64; MEASURES.len()],
}

impl QualityCounts {
    /// Adds what was counted since the last call.
    pub fn add(&self, tally: &QualityTally) {
        for at in 0..MEASURES.len() {
            for (count, more) in self.buckets[at].iter().zip(tally.buckets[at]).filter(|(_, more)| *more > 0) {
                count.fetch_add(more, Ordering::Relaxed);
            }
            self.thousandths[at].fetch_add(tally.thousandths[at], Ordering::Relaxed);
        }
    }

    /// The counts of a measure by bucket, and the sum of its values.
    #[must_use]
    pub fn of(&self, measure: usize) -> ([u64; BUCKETS], f64) {
        let buckets = self.buckets[measure].each_ref().map(|count| count.load(Ordering::Relaxed));
        (buckets, self.thousandths[measure].load(Ordering::Relaxed) as f64 / f64::from(PARTS))
    }
}
