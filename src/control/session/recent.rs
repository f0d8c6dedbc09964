//! A bounded memory of what came last: the oldest is forgotten first.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// At most so many keys with their values.
#[derive(Debug)]
pub struct Recent<K, V> {
    values: HashMap<K, V>,
    order: VecDeque<K>,
    room: usize,
}

impl<K: Hash + Eq + Clone, V> Recent<K, V> {
    /// An empty memory for `room` keys.
    #[must_use]
    pub fn new(room: usize) -> Recent<K, V> {
        Recent { values: HashMap::new(), order: VecDeque::new(), room }
    }

    /// What is remembered of `key`.
    #[must_use]
    pub fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.values.get(key)
    }

    /// Remembers; forgets the oldest when there is no room.
    pub fn put(&mut self, key: K, value: V) {
        if self.values.insert(key.clone(), value).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > self.room
            && let Some(oldest) = self.order.pop_front()
        {
            self.values.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first() {
        let mut recent = Recent::new(2);
        recent.put("a", 1);
        recent.put("b", 2);
        recent.put("a", 3);
        recent.put("c", 4);
        assert_eq!((recent.get("a"), recent.get("b"), recent.get("c")), (None, Some(&2), Some(&4)));
    }
}
