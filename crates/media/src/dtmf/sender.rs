//! Sends digits as telephone events, one report a frame (RFC 4733 §2.5.1).

use std::collections::VecDeque;

use thiserror::Error;

use super::{Digit, EventPayload};
use crate::{FRAME_SAMPLES, SAMPLES_PER_MS, rtp::Timestamp};

/// Power of the tones that a report states: −10 dBm0, as telephones do.
const VOLUME: u8 = 10;
/// Silence between two digits, so that receivers that regenerate tones tell them apart (ITU-T Q.24: 40 ms and more).
const GAP_MS: u32 = 60;
/// The final report of an event and of a segment is sent three times (RFC 4733 §2.5.1.4).
const FINAL_REPORTS: u8 = 3;
/// Events that may wait: SendDigits takes 50 digits and pauses (facts F6), and a caller's keys may be relayed meanwhile.
const MAX_QUEUED: usize = 128;

/// The queue of digits is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{MAX_QUEUED} digits and pauses wait to be sent already; send on when some are done")]
pub struct TooManyDigits;

/// One report to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPacket {
    /// The payload.
    pub payload: EventPayload,
    /// RTP timestamp: the start of the event, or of its segment.
    pub timestamp: Timestamp,
    /// RTP marker: the first report of an event.
    pub marker: bool,
}

/// What the sender wants in the current frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendStep {
    /// Nothing: audio may be sent.
    Idle,
    /// A pause between digits: nothing is sent.
    Pause,
    /// A report is sent instead of audio.
    Report(EventPacket),
}

#[derive(Clone, Copy, Debug)]
enum Queued {
    Digit { digit: Digit, samples: u32 },
    Pause { samples: u32 },
}

#[derive(Clone, Copy, Debug)]
struct Sounding {
    digit: Digit,
    total: u32,
    /// Samples of the event gone before this segment.
    before_segment: u32,
    /// Samples since the start of the event.
    elapsed: u32,
    segment_start: Timestamp,
    finals_sent: u8,
    started: bool,
}

/// Turns queued digits into reports; call [`DtmfSender::step`] once a frame.
#[derive(Clone, Debug, Default)]
pub struct DtmfSender {
    queue: VecDeque<Queued>,
    sounding: Option<Sounding>,
    pause_left: u32,
}

impl DtmfSender {
    /// A sender with nothing to do.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a digit of `duration_ms` (at least 1; any length, long ones are sent in segments).
    ///
    /// # Errors
    /// [`TooManyDigits`] when 128 digits and pauses wait.
    pub fn queue_digit(&mut self, digit: Digit, duration_ms: u32) -> Result<(), TooManyDigits> {
        self.queue(Queued::Digit {
            digit,
            samples: duration_ms.max(1).saturating_mul(SAMPLES_PER_MS),
        })
    }

    /// Appends a pause in which nothing is sent, beside the 60 ms that follow every digit.
    ///
    /// # Errors
    /// [`TooManyDigits`] when 128 digits and pauses wait.
    pub fn queue_pause(&mut self, duration_ms: u32) -> Result<(), TooManyDigits> {
        self.queue(Queued::Pause {
            samples: duration_ms.saturating_mul(SAMPLES_PER_MS),
        })
    }

    fn queue(&mut self, item: Queued) -> Result<(), TooManyDigits> {
        if self.queue.len() >= MAX_QUEUED {
            return Err(TooManyDigits);
        }
        self.queue.push_back(item);
        Ok(())
    }

    /// Whether nothing is sounding, pausing or queued.
    pub fn is_idle(&self) -> bool {
        self.sounding.is_none() && self.queue.is_empty() && self.pause_left == 0
    }

    /// Forgets what is queued and ends a sounding digit at once, still with its final reports.
    pub fn cancel(&mut self) {
        self.queue.clear();
        self.pause_left = 0;
        if let Some(sounding) = &mut self.sounding {
            sounding.total = sounding
                .total
                .min(sounding.elapsed.max(FRAME_SAMPLES as u32));
        }
    }

    /// Advances by one frame, whose first sample has the timestamp `now`.
    pub fn step(&mut self, now: Timestamp) -> SendStep {
        const FRAME: u32 = FRAME_SAMPLES as u32;
        if self.sounding.is_none() {
            if self.pause_left > 0 {
                self.pause_left = self.pause_left.saturating_sub(FRAME);
                return SendStep::Pause;
            }
            match self.queue.pop_front() {
                None => return SendStep::Idle,
                Some(Queued::Pause { samples }) => {
                    self.pause_left = samples.saturating_sub(FRAME);
                    return SendStep::Pause;
                }
                Some(Queued::Digit { digit, samples }) => {
                    self.sounding = Some(Sounding {
                        digit,
                        total: samples,
                        before_segment: 0,
                        elapsed: 0,
                        segment_start: now,
                        finals_sent: 0,
                        started: false,
                    });
                }
            }
        }
        let Some(sounding) = &mut self.sounding else {
            return SendStep::Idle;
        };
        sounding.elapsed = sounding.elapsed.saturating_add(FRAME);
        let reached = sounding.elapsed.min(sounding.total) - sounding.before_segment;
        let limit = u32::from(u16::MAX);
        let segment_full = reached > limit;
        let ends = !segment_full && sounding.elapsed >= sounding.total;
        let report = EventPacket {
            payload: EventPayload {
                event: sounding.digit.event(),
                end: ends,
                volume: VOLUME,
                duration: u16::try_from(reached).unwrap_or(u16::MAX),
            },
            timestamp: sounding.segment_start,
            marker: !sounding.started,
        };
        sounding.started = true;
        if ends || segment_full {
            sounding.finals_sent += 1;
            if sounding.finals_sent == FINAL_REPORTS {
                if ends {
                    self.sounding = None;
                    self.pause_left = GAP_MS * SAMPLES_PER_MS;
                } else {
                    sounding.before_segment += limit;
                    sounding.segment_start = sounding.segment_start.plus(limit);
                    sounding.finals_sent = 0;
                }
            }
        }
        SendStep::Report(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(sender: &mut DtmfSender, frames: u32) -> Vec<SendStep> {
        (0..frames)
            .map(|frame| sender.step(Timestamp(1_000).plus(frame * 160)))
            .collect()
    }

    fn reports(steps: &[SendStep]) -> Vec<EventPacket> {
        steps
            .iter()
            .filter_map(|step| {
                if let SendStep::Report(report) = step {
                    Some(*report)
                } else {
                    None
                }
            })
            .collect()
    }

    #[test]
    fn one_digit_is_marked_grows_and_ends_three_times() {
        let mut sender = DtmfSender::new();
        sender
            .queue_digit(Digit::from_char('5').unwrap(), 90)
            .unwrap();
        let steps = run(&mut sender, 12);
        let sent: Vec<_> = reports(&steps)
            .iter()
            .map(|r| (r.timestamp.0, r.marker, r.payload.end, r.payload.duration))
            .collect();
        assert_eq!(
            sent,
            [
                (1_000, true, false, 160),
                (1_000, false, false, 320),
                (1_000, false, false, 480),
                (1_000, false, false, 640),
                (1_000, false, true, 720),
                (1_000, false, true, 720),
                (1_000, false, true, 720),
            ]
        );
        assert_eq!(
            steps[7..],
            [
                SendStep::Pause,
                SendStep::Pause,
                SendStep::Pause,
                SendStep::Idle,
                SendStep::Idle
            ]
        );
        assert!(sender.is_idle());
    }

    #[test]
    fn a_long_digit_is_sent_in_segments() {
        let mut sender = DtmfSender::new();
        sender
            .queue_digit(Digit::from_char('#').unwrap(), 24_000)
            .unwrap();
        let sent = reports(&run(&mut sender, 1_300));
        assert_eq!(sent.iter().filter(|r| r.marker).count(), 1);
        let starts: Vec<u32> =
            sent.iter()
                .map(|r| r.timestamp.0)
                .fold(Vec::new(), |mut starts, ts| {
                    if starts.last() != Some(&ts) {
                        starts.push(ts);
                    }
                    starts
                });
        assert_eq!(starts, [1_000, 1_000 + 0xffff, 1_000 + 2 * 0xffff]);
        assert_eq!(
            sent.iter()
                .filter(|r| r.payload.duration == u16::MAX && !r.payload.end)
                .count(),
            6
        );
        let last: Vec<_> = sent.iter().filter(|r| r.payload.end).collect();
        assert_eq!(last.len(), 3);
        assert!(
            last.iter()
                .all(|r| 2 * 0xffff + u32::from(r.payload.duration) == 192_000)
        );
    }

    #[test]
    fn pauses_separate_and_the_queue_is_bounded() {
        let mut sender = DtmfSender::new();
        sender.queue_pause(500).unwrap();
        sender
            .queue_digit(Digit::from_char('1').unwrap(), 50)
            .unwrap();
        let steps = run(&mut sender, 40);
        assert_eq!(
            steps
                .iter()
                .take_while(|step| **step == SendStep::Pause)
                .count(),
            25
        );
        assert_eq!(reports(&steps).len(), 5);
        let mut full = DtmfSender::new();
        assert_eq!(
            (0..200).filter(|_| full.queue_pause(1).is_ok()).count(),
            MAX_QUEUED
        );
    }

    #[test]
    fn cancelling_still_ends_the_digit() {
        let mut sender = DtmfSender::new();
        sender
            .queue_digit(Digit::from_char('9').unwrap(), 5_000)
            .unwrap();
        sender
            .queue_digit(Digit::from_char('8').unwrap(), 5_000)
            .unwrap();
        run(&mut sender, 10);
        sender.cancel();
        let sent = reports(&run(&mut sender, 20));
        assert_eq!(sent.len(), 3);
        assert!(
            sent.iter()
                .all(|r| r.payload.end && r.payload.event == 9 && r.payload.duration == 1_600)
        );
    }
}
