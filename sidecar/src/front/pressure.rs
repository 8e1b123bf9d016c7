//! Whether a worker keeps up, by the time that messages wait for it.
//!
//! A queue that empties now and then is a burst; one whose every message has waited long, in two windows of time in a row,
//! is more work than there is time (the idea of CoDel, RFC 8289). New calls are refused then, so that those that were taken
//! stay whole: media has no other way to say that it comes too late. One window alone is a moment in which others had the
//! processor, and refusing calls would not bring it back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The time over which waits are compared, and for which their verdict holds.
const WINDOW: Duration = Duration::from_millis(100);
/// A worker whose every message waited longer than this is behind: two packets of audio.
const TARGET: Duration = Duration::from_millis(40);
/// Fewer messages in a window say nothing: another program may have had the core.
const ENOUGH: u32 = 16;

/// The worker's side.
#[derive(Debug)]
pub(crate) struct Waits {
    gauge: Gauge,
    ends: Instant,
    least: Duration,
    messages: u32,
    /// The window before this one was behind.
    was_behind: bool,
}

/// The front's side: until when a worker is behind.
#[derive(Debug, Clone)]
pub(crate) struct Gauge {
    began: Instant,
    /// Microseconds after `began`.
    until: Arc<AtomicU64>,
}

impl Gauge {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            began: now,
            until: Arc::default(),
        }
    }

    /// Whether new calls should stay away.
    pub(super) fn is_behind(&self, now: Instant) -> bool {
        self.micros(now) < self.until.load(Ordering::Relaxed)
    }

    fn micros(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.began).as_micros()).unwrap_or(u64::MAX)
    }
}

impl Waits {
    pub(crate) fn new(gauge: Gauge) -> Self {
        Self {
            ends: gauge.began + WINDOW,
            gauge,
            least: Duration::MAX,
            messages: 0,
            was_behind: false,
        }
    }

    /// What the front looks at, for a worker that starts anew.
    pub(crate) fn into_gauge(self) -> Gauge {
        self.gauge
    }

    /// A message that came at `came` is handled now.
    pub(crate) fn note(&mut self, came: Instant, now: Instant) {
        self.least = self.least.min(now.saturating_duration_since(came));
        self.messages += 1;
        if now < self.ends {
            return;
        }
        let is_behind = self.messages >= ENOUGH && self.least > TARGET;
        if is_behind && self.was_behind {
            let until = self.gauge.micros(now + WINDOW);
            self.gauge.until.store(until, Ordering::Relaxed);
        }
        self.was_behind = is_behind;
        self.ends = now + WINDOW;
        self.least = Duration::MAX;
        self.messages = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages every 2 ms for 300 ms, each having waited as long as `waited` says.
    fn behind(waited: impl Fn(u32) -> Duration) -> bool {
        let start = Instant::now();
        let gauge = Gauge::new(start);
        let mut waits = Waits::new(gauge.clone());
        let mut ever = false;
        for n in 0..150 {
            let now = start + Duration::from_millis(1000 + 2 * u64::from(n));
            waits.note(now - waited(n), now);
            ever |= gauge.is_behind(now);
        }
        ever
    }

    #[test]
    fn long_waits_of_all_messages_count_and_bursts_do_not() {
        let ms = Duration::from_millis;
        assert!(behind(|_| ms(60)));
        assert!(!behind(|_| ms(30)));
        assert!(!behind(|n| if n % 20 == 0 { ms(1) } else { ms(90) }));
    }

    #[test]
    fn a_moment_in_which_others_had_the_processor_costs_no_call() {
        let ms = Duration::from_millis;
        // A stall of 100 ms, caught up within 80 ms.
        assert!(!behind(|n| ms(100).saturating_sub(ms(u64::from(n)))));
    }

    #[test]
    fn a_few_late_messages_say_nothing_and_the_verdict_ends_by_itself() {
        let start = Instant::now();
        let gauge = Gauge::new(start);
        let mut waits = Waits::new(gauge.clone());
        let long = Duration::from_millis(500);
        for n in 1..20 {
            waits.note(start, start + n * long);
            assert!(!gauge.is_behind(start + n * long));
        }
        let now = start + 20 * long;
        for window in 0..2 {
            for _ in 0..=ENOUGH {
                waits.note(start, now + window * WINDOW);
            }
            assert!(!gauge.is_behind(now + window * WINDOW));
        }
        waits.note(start, now + 2 * WINDOW);
        assert!(gauge.is_behind(now + 2 * WINDOW));
        assert!(!gauge.is_behind(now + 3 * WINDOW));
    }
}
