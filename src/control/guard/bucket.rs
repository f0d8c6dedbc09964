//! A token bucket, and a table of what is remembered of strangers, in bounded memory.

use std::collections::HashMap;
use std::hash::Hash;

use crate::control::time::Time;

/// Millionths of a token; a rate of one a second brings one millionth a microsecond, so that nothing is ever rounded.
const MICRO: u64 = 1_000_000;

/// How fast a bucket fills and how much it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Tokens a second.
    pub rate: u32,
    /// Tokens at most.
    pub burst: u32,
}

/// Tokens that are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    micros: u64,
    at: Time,
}

impl Bucket {
    /// A full one.
    #[must_use]
    pub fn full(now: Time, pace: Pace) -> Bucket {
        Bucket { micros: u64::from(pace.burst) * MICRO, at: now }
    }

    /// Takes so many tokens, or none when there are too few.
    pub fn take(&mut self, now: Time, pace: Pace, tokens: u32) -> bool {
        let passed = u64::try_from(now.since(self.at).as_micros()).unwrap_or(u64::MAX);
        let filled = self.micros.saturating_add(passed.saturating_mul(u64::from(pace.rate)));
        self.micros = filled.min(u64::from(pace.burst) * MICRO);
        self.at = now.max(self.at);
        let wanted = u64::from(tokens) * MICRO;
        let enough = self.micros >= wanted;
        self.micros -= if enough { wanted } else { 0 };
        enough
    }
}

/// A table of two generations: when the young one is full it becomes the old one, and what nobody asked for since then is forgotten.
/// Strangers in any number cost no more than two generations.
#[derive(Debug)]
pub struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    room: usize,
}

impl<K: Copy + Eq + Hash, V> Generations<K, V> {
    /// A table whose generations hold so many each.
    #[must_use]
    pub fn new(room: usize) -> Generations<K, V> {
        Generations { young: HashMap::new(), old: HashMap::new(), room }
    }

    /// What is known of `key`, as young again; made when nothing is.
    pub fn of(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        if !self.young.contains_key(&key) {
            let value = self.old.remove(&key).unwrap_or_else(make);
            if self.young.len() >= self.room {
                self.old = std::mem::take(&mut self.young);
            }
            self.young.insert(key, value);
        }
        self.young.get_mut(&key).expect("it was put in just now")
    }

    /// Is anything known of `key`?
    #[must_use]
    pub fn has(&self, key: &K) -> bool {
        self.young.contains_key(key) || self.old.contains_key(key)
    }

    /// Forgets it.
    pub fn forget(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }

    /// How much is remembered.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_table_never_holds_more_than_two_generations_and_keeps_what_is_asked_for() {
        let mut table = Generations::new(10);
        for stranger in 1..1_000u32 {
            *table.of(0, || 0) += 1;
            table.of(stranger, || 0);
            assert!(table.len() <= 20);
        }
        assert_eq!(*table.of(0, || 0), 999);
        assert!(!table.has(&1));
    }

    proptest! {
        /// Over any span no more tokens go than the burst and what the span brought; and a pause of a whole fill gives a full bucket.
        #[test]
        fn no_more_goes_than_burst_and_rate(rate in 1u32..200, burst in 1u32..400, pauses in prop::collection::vec(0u64..40_000, 1..300)) {
            let pace = Pace { rate, burst };
            let start = Time(1_000_000_000);
            let (mut now, mut gone) = (start, 0u64);
            let mut bucket = Bucket::full(start, pace);
            for pause in pauses {
                now = Time(now.0 + pause);
                gone += u64::from(bucket.take(now, pace, 1));
                let brought = (now.0 - start.0) * u64::from(rate) / 1_000_000;
                prop_assert!(gone <= u64::from(burst) + brought, "{gone} of {burst} + {brought}");
            }
            now = Time(now.0 + u64::from(burst) * 1_000_000 / u64::from(rate) + 1);
            let full = (0..=burst).filter(|_| bucket.take(now, pace, 1)).count();
            prop_assert_eq!(full, burst as usize);
        }
    }
}
