//! How values are distributed: counters of buckets, written without a lock.

use std::sync::atomic::{AtomicU64, Ordering};

/// Buckets with these upper bounds, and one above them all.
#[derive(Debug)]
pub(crate) struct Distribution {
    bounds: &'static [f64],
    counts: Box<[AtomicU64]>,
    /// The sum of all values, in millionths.
    micros: AtomicU64,
}

/// Upper bounds in seconds for what waits for a handler: within its 5 s (facts F3) most.
pub(crate) const HANDLER_SECONDS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0,
];
/// Upper bounds in seconds for jitter.
pub(crate) const JITTER_SECONDS: &[f64] = &[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2];
/// Upper bounds in seconds for a call's length.
pub(crate) const CALL_SECONDS: &[f64] =
    &[1.0, 5.0, 15.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0];

impl Distribution {
    pub(crate) fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            micros: AtomicU64::new(0),
        }
    }

    /// Counts a value; one that is no number is left out.
    pub(crate) fn add(&self, value: f64) {
        if !value.is_finite() || value < 0.0 {
            return;
        }
        let place = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.micros
            .fetch_add((value * 1e6) as u64, Ordering::Relaxed);
    }

    /// The sum, the number, and each bucket's upper bound with its own count.
    pub(super) fn read(&self) -> (f64, u64, Vec<(f64, u64)>) {
        let buckets: Vec<(f64, u64)> = self
            .bounds
            .iter()
            .copied()
            .chain([f64::INFINITY])
            .zip(
                self.counts
                    .iter()
                    .map(|count| count.load(Ordering::Relaxed)),
            )
            .collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = self.micros.load(Ordering::Relaxed) as f64 / 1e6;
        (sum, count, buckets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fall_into_their_buckets() {
        let distribution = Distribution::new(&[0.1, 1.0]);
        for value in [0.05, 0.1, 0.5, 3.0, f64::NAN, -1.0] {
            distribution.add(value);
        }
        let (sum, count, buckets) = distribution.read();
        assert_eq!(count, 4);
        assert!((sum - 3.65).abs() < 1e-6, "{sum}");
        assert_eq!(buckets, [(0.1, 2), (1.0, 1), (f64::INFINITY, 1)]);
    }
}
