//! A rate that many calls share: ActionExecutionThrottled (facts F6, F7).

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Takes so many requests in any second, and refuses the rest.
#[derive(Debug)]
pub struct Throttle {
    most: usize,
    taken: Mutex<VecDeque<Instant>>,
}

impl Throttle {
    /// A throttle that takes `most` requests in a second.
    pub fn per_second(most: usize) -> Self {
        Self {
            most,
            taken: Mutex::new(VecDeque::with_capacity(most)),
        }
    }

    /// Whether a request may go ahead at this time.
    pub fn take(&self, now: Instant) -> bool {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while taken
            .front()
            .is_some_and(|at| now.saturating_duration_since(*at) >= Duration::from_secs(1))
        {
            taken.pop_front();
        }
        let free = taken.len() < self.most;
        if free {
            taken.push_back(now);
        }
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_so_many() {
        let throttle = Throttle::per_second(5);
        let begin = Instant::now();
        let at = |millis| throttle.take(begin + Duration::from_millis(millis));
        let taken: Vec<bool> = [0, 100, 200, 300, 400, 500, 999, 1000, 1050, 1100]
            .map(at)
            .to_vec();
        assert_eq!(
            taken,
            [
                true, true, true, true, true, false, false, true, false, true
            ]
        );
    }
}
