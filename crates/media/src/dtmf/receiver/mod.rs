//! Receives telephone events and reports each digit exactly once (RFC 4733 §2.5.2).

#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{Digit, EventPayload};
use crate::{SAMPLE_RATE, SAMPLES_PER_MS, rtp::Timestamp};

/// A sounding digit without reports ends after three intervals of the recommended 50 ms (RFC 4733 §2.5.2.2).
const SILENT_FOR: Duration = Duration::from_millis(150);
/// Other media this far behind the last report means that the event ended unseen: three packets of 20 ms.
const PASSED_BY: i32 = 480;
/// A report up to a segment and five seconds older than the newest event is late; one still older comes from a
/// restarted sender.
const LATE_WINDOW: i32 = u16::MAX as i32 + 5 * SAMPLE_RATE as i32;
/// Digits that wait to be fetched; a stranger who sends more loses the oldest.
const MAX_WAITING: usize = 128;
/// Reports packed into one packet that are looked at (RFC 4733 §2.5.1.5).
const MAX_PACKED: usize = 8;

/// When a digit is reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DigitReport {
    /// At the end of the key press: its duration is known.
    #[default]
    AtEnd,
    /// At the first report: quicker, for stopping a prompt.
    AtStart,
}

/// A digit that a peer pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceivedDigit {
    /// Which.
    pub digit: Digit,
    /// How long, as far as known when it is reported.
    pub duration_ms: u32,
    /// RTP timestamp at which it began.
    pub began: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Sounding {
    event: u8,
    began: Timestamp,
    segment_start: Timestamp,
    duration: u16,
    last_report: Instant,
}

/// Follows the events of one source. Bytes and order may be anything: nothing is reported twice, nothing grows.
#[derive(Clone, Debug, Default)]
pub struct DtmfReceiver {
    report: DigitReport,
    sounding: Option<Sounding>,
    /// Start of the newest segment that was ever accepted.
    newest: Option<Timestamp>,
    waiting: VecDeque<ReceivedDigit>,
}

impl DtmfReceiver {
    /// A receiver that reports at the start or the end of digits.
    pub fn new(report: DigitReport) -> Self {
        Self {
            report,
            ..Self::default()
        }
    }

    /// Takes a packet's payload with its header's timestamp and marker.
    pub fn receive(&mut self, now: Instant, timestamp: Timestamp, marker: bool, payload: &[u8]) {
        self.expire(now);
        let mut start = timestamp;
        for (index, block) in payload
            .chunks_exact(EventPayload::LEN)
            .take(MAX_PACKED)
            .enumerate()
        {
            let Some(report) = EventPayload::parse(block) else {
                return;
            };
            self.take(now, start, marker && index == 0, report);
            start = start.plus(u32::from(report.duration));
        }
    }

    fn take(&mut self, now: Instant, start: Timestamp, marker: bool, report: EventPayload) {
        if let Some(sounding) = &mut self.sounding
            && sounding.event == report.event
        {
            let gone = start.since(sounding.segment_start);
            // A segment begins where the one before ended (RFC 4733 §2.5.1.3), even when its last reports are lost.
            let contiguous = gone == i32::from(u16::MAX) || gone == i32::from(sounding.duration);
            if !marker && gone > 0 && contiguous {
                sounding.segment_start = start;
                sounding.duration = 0;
                self.newest = Some(start);
            }
            if start == sounding.segment_start {
                sounding.duration = sounding.duration.max(report.duration);
                sounding.last_report = now;
                if report.end {
                    self.finish();
                }
                return;
            }
        }
        // Reports of an event or a segment that is over, or older ones: they were counted, or lost their turn.
        if let Some(newest) = self.newest {
            let age = newest.since(start);
            if (0..LATE_WINDOW).contains(&age) {
                return;
            }
        }
        self.finish();
        self.newest = Some(start);
        let Some(digit) = Digit::from_event(report.event) else {
            return;
        };
        let sounding = Sounding {
            event: report.event,
            began: start,
            segment_start: start,
            duration: report.duration,
            last_report: now,
        };
        self.sounding = Some(sounding);
        if self.report == DigitReport::AtStart {
            self.push(digit, sounding);
        }
        if report.end {
            self.finish();
        }
    }

    /// Notes audio of the same source: an event whose end was lost is over once audio has passed it.
    pub fn other_media(&mut self, timestamp: Timestamp) {
        if let Some(sounding) = &self.sounding {
            let end = sounding.segment_start.plus(u32::from(sounding.duration));
            if timestamp.since(end) >= PASSED_BY {
                self.finish();
            }
        }
    }

    /// Ends a digit that no report has extended for 150 ms.
    pub fn expire(&mut self, now: Instant) {
        if self.sounding.is_some_and(|sounding| {
            now.saturating_duration_since(sounding.last_report) > SILENT_FOR
        }) {
            self.finish();
        }
    }

    /// Starts over with another source, whose timestamps have nothing to do with the old ones.
    pub fn change_source(&mut self) {
        self.finish();
        self.newest = None;
    }

    /// Whether a digit is sounding.
    pub fn is_sounding(&self) -> bool {
        self.sounding.is_some()
    }

    /// The next digit.
    pub fn poll(&mut self) -> Option<ReceivedDigit> {
        self.waiting.pop_front()
    }

    fn finish(&mut self) {
        let Some(sounding) = self.sounding.take() else {
            return;
        };
        if self.report == DigitReport::AtEnd
            && let Some(digit) = Digit::from_event(sounding.event)
        {
            self.push(digit, sounding);
        }
    }

    fn push(&mut self, digit: Digit, sounding: Sounding) {
        if self.waiting.len() == MAX_WAITING {
            self.waiting.pop_front();
        }
        let whole_segments = sounding.segment_start.since(sounding.began).unsigned_abs();
        let samples = whole_segments.saturating_add(u32::from(sounding.duration));
        self.waiting.push_back(ReceivedDigit {
            digit,
            duration_ms: samples / SAMPLES_PER_MS,
            began: sounding.began,
        });
    }
}
