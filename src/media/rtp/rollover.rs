//! Numbers of 16 bits that wrap, as numbers of 48 bits that do not (RFC 3711 §3.3.1), and a window of those that were there.

/// A packet's number since the stream began.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Index(pub u64);

impl Index {
    /// After so many wraps.
    #[must_use]
    pub fn of(wraps: u32, sequence: u16) -> Index {
        Index(u64::from(wraps) << 16 | u64::from(sequence))
    }

    /// How often the numbers have wrapped.
    #[must_use]
    pub fn wraps(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

/// Numbers of the window: those before the highest of which we know whether they were there.
const WINDOW: u64 = 128;
const HALF: i64 = 1 << 15;
const ROUND: i64 = 1 << 16;

/// Where a stream stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rollover {
    highest: Option<Index>,
    /// Bit n: the number n before the highest was there.
    seen: u128,
}

impl Rollover {
    /// Has anything been there?
    #[must_use]
    pub fn is_begun(&self) -> bool {
        self.highest.is_some()
    }

    /// The number nearest to the highest one.
    #[must_use]
    pub fn guess(&self, sequence: u16) -> Index {
        let Some(highest) = self.highest else { return Index::of(0, sequence) };
        let highest = i64::try_from(highest.0).unwrap_or(i64::MAX);
        let here = highest / ROUND * ROUND + i64::from(sequence);
        let near = match here - highest {
            ahead if ahead > HALF && here >= ROUND => here - ROUND,
            ahead if ahead < -HALF => here + ROUND,
            _ => here,
        };
        Index(u64::try_from(near).unwrap_or_default())
    }

    /// Is it one that was not there yet, as far as the window shows?
    #[must_use]
    pub fn is_new(&self, index: Index) -> bool {
        let Some(highest) = self.highest.filter(|highest| index <= *highest) else { return true };
        let back = highest.0 - index.0;
        back < WINDOW && self.seen >> back & 1 == 0
    }

    /// It was there.
    pub fn take(&mut self, index: Index) {
        let highest = self.highest.unwrap_or(index);
        if index >= highest {
            let ahead = index.0 - highest.0;
            self.seen = if ahead < WINDOW { self.seen << ahead | 1 } else { 1 };
            self.highest = Some(index);
        } else if highest.0 - index.0 < WINDOW {
            self.seen |= 1 << (highest.0 - index.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_over_wraps_and_stragglers_of_the_last_round_are_known() {
        let mut rollover = Rollover::default();
        rollover.take(rollover.guess(65_534));
        for (sequence, wraps) in [(65_535, 0), (1, 1), (0, 1), (65_533, 0), (2, 1)] {
            let index = rollover.guess(sequence);
            assert_eq!(index, Index::of(wraps, sequence), "{sequence}");
            assert!(rollover.is_new(index));
            rollover.take(index);
            assert!(!rollover.is_new(index));
        }
        assert!(!rollover.is_new(Index::of(0, 60_000)), "older than the window");
    }

    #[test]
    fn the_first_round_has_none_before_it() {
        let mut rollover = Rollover::default();
        rollover.take(rollover.guess(3));
        assert_eq!(rollover.guess(65_535), Index::of(0, 65_535));
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_within_the_half_of_a_round_is_numbered_right(start in 0u64..1 << 40, moves in proptest::collection::vec(-30_000i64..30_000, 1..50)) {
            let mut rollover = Rollover::default();
            rollover.take(Index(start + (1 << 17)));
            for step in moves {
                let index = Index(rollover.highest.unwrap().0.saturating_add_signed(step));
                proptest::prop_assert_eq!(rollover.guess(index.0 as u16), index);
                rollover.take(index);
                proptest::prop_assert!(!rollover.is_new(index));
            }
        }
    }
}
