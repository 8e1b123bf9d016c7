//! INVITEs that were judged lately, so that a retransmission gets the same verdict.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How long an INVITE is retransmitted at most: 64·T1 (RFC 3261 §17.1.1.2).
const LIFETIME: Duration = Duration::from_secs(32);

/// A bounded table of two generations; an entry lives for one to two lifetimes.
#[derive(Debug)]
pub(super) struct Recent<V> {
    young: HashMap<u64, V>,
    old: HashMap<u64, V>,
    turn: Instant,
    limit: usize,
}

impl<V: Clone> Recent<V> {
    pub(super) fn new(limit: usize, now: Instant) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            turn: now + LIFETIME,
            limit,
        }
    }

    pub(super) fn get(&self, key: u64) -> Option<&V> {
        self.young.get(&key).or_else(|| self.old.get(&key))
    }

    /// Remembers a verdict; without room it is not, and a retransmission is judged anew.
    pub(super) fn insert(&mut self, key: u64, verdict: V) {
        if self.young.len() < self.limit {
            self.young.insert(key, verdict);
        }
    }

    /// Another verdict in place of the one that was remembered.
    pub(super) fn replace(&mut self, key: u64, verdict: V) {
        if let Some(place) = self.young.get_mut(&key).or_else(|| self.old.get_mut(&key)) {
            *place = verdict;
        }
    }

    /// All that is remembered.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.young.values().chain(self.old.values())
    }

    pub(super) fn turn(&mut self, now: Instant) {
        if now >= self.turn {
            self.turn = now + LIFETIME;
            self.old = std::mem::take(&mut self.young);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_live_one_to_two_lifetimes() {
        let start = Instant::now();
        let mut recent = Recent::new(2, start);
        recent.insert(1, 'a');
        recent.insert(2, 'b');
        recent.insert(3, 'c');
        assert_eq!((recent.get(1), recent.get(3)), (Some(&'a'), None));
        recent.turn(start + LIFETIME);
        assert_eq!(recent.get(1), Some(&'a'));
        recent.turn(start + LIFETIME * 2);
        assert_eq!(recent.get(1), None);
    }
}
