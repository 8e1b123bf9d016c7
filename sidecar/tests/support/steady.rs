//! Whether the machine ran on. What a call sounds like cannot be judged where it stands still: a tone is torn in two, a
//! word is lost, and no gateway can do anything about it.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;

/// What a jitter buffer takes up at the beginning of a call.
const TAKEN_UP: Duration = Duration::from_millis(40);
/// Failures of a machine that ran on: more would hide a mistake.
const OWN_FAILURES: usize = 3;
/// Failures of either kind.
const FAILURES: usize = 10;
/// After so long no other try is begun.
const LONG: Duration = Duration::from_secs(240);

/// A thread that does nothing but look at the clock.
struct Watch {
    longest: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
}

impl Watch {
    fn start() -> Self {
        let watch = Self {
            longest: Arc::default(),
            over: Arc::default(),
        };
        let (longest, over) = (Arc::clone(&watch.longest), Arc::clone(&watch.over));
        std::thread::spawn(move || {
            let tick = Duration::from_millis(5);
            let mut last = Instant::now();
            while !over.load(Ordering::Relaxed) {
                std::thread::sleep(tick);
                let still = last.elapsed().saturating_sub(tick).as_millis() as u64;
                longest.fetch_max(still, Ordering::Relaxed);
                last = Instant::now();
            }
        });
        watch
    }

    /// How long the machine stood still, at most.
    fn longest(&self) -> Duration {
        Duration::from_millis(self.longest.load(Ordering::Relaxed))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// Plays a scenario whose sounds are judged until it succeeds: at most three times on a machine that runs on, and at most
/// ten times in all.
pub async fn undisturbed(scenario: impl AsyncFn()) {
    let begun = Instant::now();
    let mut own = 0;
    for failures in 1.. {
        let watch = Watch::start();
        let Err(failed) = AssertUnwindSafe(scenario()).catch_unwind().await else {
            return;
        };
        let still = watch.longest();
        own += usize::from(still < TAKEN_UP);
        println!("failed where the machine stood still for {still:?} at most");
        if own >= OWN_FAILURES || failures >= FAILURES || begun.elapsed() > LONG {
            resume_unwind(failed);
        }
    }
}
