//! One call for each client session id: the table that makes repeated INVITEs harmless.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Client session ids that have made a call, bounded in number and time.
#[derive(Debug)]
pub(super) struct Sessions {
    taken: HashMap<Box<str>, u64>,
    order: VecDeque<(Instant, Box<str>)>,
    lifetime: Duration,
    limit: usize,
}

impl Sessions {
    pub(super) fn new(limit: usize, lifetime: Duration) -> Self {
        Self {
            taken: HashMap::new(),
            order: VecDeque::new(),
            lifetime,
            limit,
        }
    }

    /// Takes a session for a call, named by its Call-ID's fingerprint; false when another call has it.
    pub(super) fn take(&mut self, csi: &str, call: u64, now: Instant) -> bool {
        self.expire(now);
        if let Some(owner) = self.taken.get(csi) {
            return *owner == call;
        }
        while self.taken.len() >= self.limit
            && let Some((_, oldest)) = self.order.pop_front()
        {
            self.taken.remove(&oldest);
        }
        self.taken.insert(csi.into(), call);
        self.order.push_back((now + self.lifetime, csi.into()));
        true
    }

    /// Lets a session be used again.
    pub(super) fn release(&mut self, csi: &str) {
        if self.taken.remove(csi).is_some() {
            self.order.retain(|(_, taken)| &**taken != csi);
        }
    }

    /// All that are taken, the one that ends first before the others, with what is left of their time.
    pub(super) fn list(&self, now: Instant) -> impl Iterator<Item = (&str, Duration)> {
        self.order
            .iter()
            .map(move |(ends, csi)| (&**csi, ends.saturating_duration_since(now)))
    }

    /// Takes a session that has made a call of another process, for what is left of its time. They come as [`Self::list`]
    /// gives them, before any of this process's own.
    pub(super) fn take_over(&mut self, csi: &str, left: Duration, now: Instant) {
        let left = left.min(self.lifetime);
        if left.is_zero() || self.taken.len() >= self.limit {
            return;
        }
        // No Call-ID of this process's is that call's.
        if self.taken.insert(csi.into(), rand::random()).is_none() {
            self.order.push_back((now + left, csi.into()));
        }
    }

    pub(super) fn expire(&mut self, now: Instant) {
        while let Some((ends, _)) = self.order.front()
            && *ends <= now
            && let Some((_, csi)) = self.order.pop_front()
        {
            self.taken.remove(&csi);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_call_a_session() {
        let now = Instant::now();
        let hour = Duration::from_secs(3600);
        let mut sessions = Sessions::new(2, hour);
        assert!(sessions.take("a", 1, now));
        assert!(sessions.take("a", 1, now), "a retransmission");
        assert!(!sessions.take("a", 2, now));
        assert!(sessions.take("b", 3, now));
        assert!(sessions.take("c", 4, now), "the oldest makes room");
        assert!(sessions.take("a", 2, now));
        assert!(!sessions.take("c", 9, now));
        sessions.release("c");
        assert!(sessions.take("c", 9, now));
        assert!(sessions.take("c", 10, now + hour), "after its time");
    }

    #[test]
    fn another_process_s_sessions_are_taken_for_what_is_left_of_their_time() {
        let now = Instant::now();
        let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3600));
        let mut before = Sessions::new(2, hour);
        assert!(before.take("a", 1, now));
        assert!(before.take("b", 2, now + minute));
        let list: Vec<_> = before.list(now + minute).collect();
        assert_eq!(list, [("a", hour - minute), ("b", hour)]);
        let mut after = Sessions::new(2, hour);
        for (csi, left) in list {
            after.take_over(csi, left, now + minute);
        }
        after.take_over("c", hour, now);
        assert!(!after.take("a", 1, now + minute), "whoever asks");
        assert!(!after.take("b", 2, now + hour));
        assert!(after.take("a", 1, now + hour), "after its time");
        after.release("b");
        assert!(after.take("b", 9, now + hour));
    }
}
