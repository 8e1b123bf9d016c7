//! Takes each nonce once, in bounded memory.

use std::collections::{HashSet, VecDeque};

use super::NONCE_SECONDS;

/// The nonces of the last 120 s, at most `capacity` of them.
///
/// When it is full, nonces are refused until old ones have gone: a flood of validly signed requests
/// is an error on the sender's side, and forgetting nonces early would let requests be replayed.
#[derive(Debug)]
pub struct NonceWindow {
    capacity: usize,
    seen: HashSet<Box<str>>,
    order: VecDeque<(i64, Box<str>)>,
}

impl NonceWindow {
    /// A window for at most `capacity` nonces at once.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            seen: HashSet::new(),
            order: VecDeque::new(),
        }
    }

    /// The nonces that were used, the oldest first, and when. Another window takes them by [`Self::accept`].
    pub fn used(&self) -> impl Iterator<Item = (i64, &str)> {
        self.order.iter().map(|(at, nonce)| (*at, &**nonce))
    }

    /// True if the nonce is new; it is remembered then. `now` is in Unix seconds.
    pub fn accept(&mut self, nonce: &str, now: i64) -> bool {
        let oldest = now.saturating_sub(i64::try_from(NONCE_SECONDS).unwrap_or(i64::MAX));
        while let Some((_, old)) = self.order.pop_front_if(|(at, _)| *at < oldest) {
            self.seen.remove(&old);
        }
        if self.seen.len() >= self.capacity || !self.seen.insert(nonce.into()) {
            return false;
        }
        self.order.push_back((now, nonce.into()));
        true
    }
}
