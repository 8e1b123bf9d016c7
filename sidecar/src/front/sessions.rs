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
}
