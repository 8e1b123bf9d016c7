//! How much in how long: a bucket that fills steadily.

use std::time::Instant;

/// A token bucket: on average `per_second`, and a second's worth (at least one) at once.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    per_second: f64,
    level: f64,
    at: Instant,
}

impl Bucket {
    /// A full bucket; 0 a second lets nothing through.
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        Self {
            per_second: per_second.into(),
            level: per_second.into(),
            at: now,
        }
    }

    /// Takes one; false when there is none.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.level = (self.level + passed * self.per_second).min(self.per_second);
        let is_there = self.level >= 1.0;
        if is_there {
            self.level -= 1.0;
        }
        is_there
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_second_at_once_and_then_steadily() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10, start);
        assert_eq!((0..50).filter(|_| bucket.take(start)).count(), 10);
        let mut taken = 0;
        for ms in 0..2000 {
            taken += u32::from(bucket.take(start + Duration::from_millis(ms)));
        }
        assert!((19..=20).contains(&taken), "{taken}");
        assert!(bucket.take(start + Duration::from_secs(60)));
        assert!(!Bucket::new(0, start).take(start + Duration::from_secs(60)));
    }
}
