//! The times until which a call waits. The call has one deadline: the earliest of them.

use std::collections::BTreeMap;
use std::time::Instant;

use super::command::LegId;

/// What a call waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// All attempts to ask the handler (facts F3: 20 s). Stands first, so that no further attempt begins at its end.
    Total,
    /// One attempt (facts F3: 5 s).
    Attempt,
    /// An unanswered call with nothing to do (facts F3: 30 s).
    NoAction,
    /// The running action's step: the pause, the rendering, the attempt to get digits, the ringing, the store.
    Step,
    /// The running action's time between digits.
    Gap,
    /// A listener's time between digits (facts F6, ReceiveDigits).
    ListenerGap(LegId),
    /// A listener's time from the first digit.
    ListenerFlush(LegId),
    /// A call that was made through the API: the ringing of leg A.
    Ring,
    /// A cancelled call attempt's time to end.
    Cancel(LegId),
    /// The longest call.
    Call,
}

/// The times that are set.
#[derive(Debug, Default)]
pub(super) struct Timers(BTreeMap<Timer, Instant>);

impl Timers {
    /// Sets a time, in place of an earlier one.
    pub(super) fn set(&mut self, timer: Timer, at: Instant) {
        self.0.insert(timer, at);
    }

    /// Forgets a time.
    pub(super) fn clear(&mut self, timer: Timer) {
        self.0.remove(&timer);
    }

    /// Forgets all times.
    pub(super) fn clear_all(&mut self) {
        self.0.clear();
    }

    /// Whether a time is set.
    pub(super) fn is_set(&self, timer: Timer) -> bool {
        self.0.contains_key(&timer)
    }

    /// The earliest time.
    pub(super) fn earliest(&self) -> Option<Instant> {
        self.0.values().min().copied()
    }

    /// Takes the earliest time that has come.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        let (timer, _) = self
            .0
            .iter()
            .filter(|(_, at)| **at <= now)
            .min_by_key(|(_, at)| **at)?;
        let timer = *timer;
        self.0.remove(&timer);
        Some(timer)
    }
}
