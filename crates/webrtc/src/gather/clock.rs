//! The library's time: nanoseconds since a beginning.

use std::time::{Duration, Instant};

use turn_client_proto::stun;

/// A beginning, from which times are counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) const fn since(begin: Instant) -> Self {
        Self(begin)
    }

    pub(super) fn of(self, now: Instant) -> stun::Instant {
        let passed = now.saturating_duration_since(self.0);
        stun::Instant::from_nanos(i64::try_from(passed.as_nanos()).unwrap_or(i64::MAX))
    }

    pub(super) fn back(self, at: stun::Instant) -> Instant {
        let passed = at.checked_duration_since(stun::Instant::ZERO);
        // What is due in centuries is never due.
        let passed = passed
            .unwrap_or_default()
            .min(Duration::from_secs(86_400 * 365));
        self.0 + passed
    }
}
