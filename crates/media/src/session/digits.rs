//! Which digits went out: the leg's own, and those of the other leg that were relayed.

use std::collections::VecDeque;

use super::SentDigit;
use crate::{
    dtmf::{Digit, EventPayload},
    rtp::Timestamp,
};

/// Digits that wait to be fetched; an owner who fetches none loses the oldest.
const MAX_WAITING: usize = 128;

#[derive(Clone, Debug, Default)]
pub(super) struct SentDigits {
    /// Where the last digit began whose end was noted: final reports are sent three times.
    last: Option<Timestamp>,
    waiting: VecDeque<SentDigit>,
}

impl SentDigits {
    /// Notes a report that went out, of an event that began at `start` on its source's clock.
    pub(super) fn report(&mut self, start: Timestamp, payload: EventPayload) {
        if !payload.end || self.last == Some(start) {
            return;
        }
        let Some(digit) = Digit::from_event(payload.event) else {
            return;
        };
        self.last = Some(start);
        if self.waiting.len() >= MAX_WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back(SentDigit {
            digit,
            duration_ms: u32::from(payload.duration) / crate::SAMPLES_PER_MS,
        });
    }

    pub(super) fn poll(&mut self) -> Option<SentDigit> {
        self.waiting.pop_front()
    }
}
