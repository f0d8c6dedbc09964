//! Time as data: a point on the wall clock that only moves forward, and an index of deadlines.

use std::collections::BTreeSet;
use std::fmt;
use std::hash::Hash;
use std::time::Duration;

use rustc_hash::FxHashMap;

/// Microseconds since the Unix epoch, made monotonic by the edge that reads the clock.
/// The rules never read a clock: every call into them carries the time it happens at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
pub struct Time(pub u64);

impl Time {
    /// The span from `earlier` to this point; zero when `earlier` lies ahead.
    #[must_use]
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// Whole milliseconds since the Unix epoch.
    #[must_use]
    pub fn millis(self) -> u64 {
        self.0 / 1_000
    }

    /// RFC 3339 in UTC with milliseconds, the form of every `at` in the API.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let at = jiff::Timestamp::from_millisecond(i64::try_from(self.millis()).unwrap_or(i64::MAX)).unwrap_or_default();
        format!("{at:.3}")
    }
}

/// A time before 1970 is 1970's beginning.
impl From<jiff::Timestamp> for Time {
    fn from(at: jiff::Timestamp) -> Time {
        Time(u64::try_from(at.as_microsecond()).unwrap_or(0))
    }
}

impl std::ops::Add<Duration> for Time {
    type Output = Time;
    fn add(self, span: Duration) -> Time {
        Time(self.0.saturating_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

/// Deadlines by key: one deadline a key, the earliest found in O(log n). Keys are our own, or few.
#[derive(Debug, Clone)]
pub struct Deadlines<K> {
    by_time: BTreeSet<(Time, K)>,
    by_key: FxHashMap<K, Time>,
}

impl<K: Copy + Ord + Hash> Default for Deadlines<K> {
    fn default() -> Self {
        Deadlines { by_time: BTreeSet::new(), by_key: FxHashMap::default() }
    }
}

impl<K: Copy + Ord + Hash> Deadlines<K> {
    /// Sets or moves the deadline of `key`.
    pub fn set(&mut self, key: K, at: Time) {
        self.clear(&key);
        self.by_time.insert((at, key));
        self.by_key.insert(key, at);
    }

    /// Takes the deadline of `key` away, if it has one.
    pub fn clear(&mut self, key: &K) {
        if let Some(at) = self.by_key.remove(key) {
            self.by_time.remove(&(at, *key));
        }
    }

    /// When `key` is due.
    #[must_use]
    pub fn of(&self, key: &K) -> Option<Time> {
        self.by_key.get(key).copied()
    }

    /// The earliest deadline of all.
    #[must_use]
    pub fn next(&self) -> Option<Time> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes out one key whose deadline has come; call until `None`.
    pub fn pop_due(&mut self, now: Time) -> Option<K> {
        let (at, key) = *self.by_time.first()?;
        if at > now {
            return None;
        }
        self.by_time.pop_first();
        self.by_key.remove(&key);
        Some(key)
    }

    /// How many deadlines stand.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// True when none stands.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_deadline_fires_once_at_its_new_time() {
        let mut deadlines = Deadlines::default();
        deadlines.set('a', Time(10));
        deadlines.set('b', Time(5));
        deadlines.set('a', Time(3));
        assert_eq!(deadlines.next(), Some(Time(3)));
        assert_eq!(deadlines.pop_due(Time(4)), Some('a'));
        assert_eq!(deadlines.pop_due(Time(4)), None);
        assert_eq!(deadlines.pop_due(Time(5)), Some('b'));
        assert!(deadlines.is_empty());
    }
}
