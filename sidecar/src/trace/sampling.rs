//! Which calls are traced when there are more than the trace may cost.

use std::time::{Duration, Instant};

/// The first calls of each second, so that a trace is whole or not there at all.
#[derive(Debug)]
pub(crate) struct Sampling {
    per_second: u32,
    second_began: Instant,
    taken: u32,
}

impl Sampling {
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        Self {
            per_second,
            second_began: now,
            taken: 0,
        }
    }

    /// Whether a call that begins now is traced.
    pub(crate) fn takes(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.second_began) >= Duration::from_secs(1) {
            self.second_began = now;
            self.taken = 0;
        }
        let takes = self.taken < self.per_second;
        self.taken += u32::from(takes);
        takes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_each_second() {
        let now = Instant::now();
        let mut sampling = Sampling::new(2, now);
        let at = |ms| now + Duration::from_millis(ms);
        let taken: Vec<bool> = [0, 1, 2, 999, 1000, 1001, 1500, 2100]
            .map(|ms| sampling.takes(at(ms)))
            .into();
        assert_eq!(taken, [true, true, false, false, true, true, false, true]);
        assert!(!Sampling::new(0, now).takes(now));
    }
}
