//! How many packets a leg's video may have.

use std::time::Instant;

/// Packets a second: some 28 Mbit/s, which no call of a device's comes near.
const A_SECOND: f64 = 3_000.0;
/// Packets at once: a key frame of more than a megabyte.
const AT_ONCE: f64 = 1_500.0;

/// What may still be taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    left: f64,
    at: Instant,
}

impl Allowance {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            left: AT_ONCE,
            at: now,
        }
    }

    /// One packet more; false: it is one too many.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        self.left = (self.left + A_SECOND * passed).min(AT_ONCE);
        let may = self.left >= 1.0;
        if may {
            self.left -= 1.0;
        }
        may
    }
}
