//! Finds what somebody says between two silences: what a bot or a speech recogniser is given.
//!
//! Speech is told from silence by its level. The limits are ours; the times are the caller's.

use std::collections::VecDeque;

use crate::tone::level_dbov;
use crate::{FRAME_MS, Frame};

/// Louder than this is speech, in dBov: telephone speech lies at −30 to −15, a quiet room below −50.
const SPEECH_DBOV: f64 = -40.0;
/// Loud frames in a row that begin an utterance: a click is shorter.
const BEGINS: usize = 3;
/// Frames before the beginning that belong to it: a word begins softly.
const BEFORE: usize = 12;

/// What a frame led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Somebody has begun to speak.
    Began,
    /// They have ended: everything from shortly before the beginning on, 8 kHz.
    Ended(Vec<i16>),
}

/// Takes frames until one utterance is complete.
#[derive(Clone, Debug)]
pub struct UtteranceDetector {
    end_ms: u32,
    longest_ms: u32,
    before: VecDeque<Frame>,
    loud: usize,
    said: Option<Vec<i16>>,
    said_ms: u32,
    silent_ms: u32,
    done: bool,
}

impl UtteranceDetector {
    /// An utterance ends after `end_ms` of silence, or when it is `longest_ms` long.
    pub fn new(end_ms: u32, longest_ms: u32) -> Self {
        Self {
            end_ms: end_ms.max(FRAME_MS),
            longest_ms: longest_ms.max(FRAME_MS),
            before: VecDeque::with_capacity(BEFORE + BEGINS),
            loud: 0,
            said: None,
            said_ms: 0,
            silent_ms: 0,
            done: false,
        }
    }

    /// Takes the next frame. After the end nothing is heard any more.
    pub fn push(&mut self, frame: &Frame) -> Option<Heard> {
        if self.done {
            return None;
        }
        let is_loud = level_dbov(frame) > SPEECH_DBOV;
        let Some(said) = &mut self.said else {
            if self.before.len() >= BEFORE + BEGINS {
                self.before.pop_front();
            }
            self.before.push_back(*frame);
            self.loud = if is_loud { self.loud + 1 } else { 0 };
            if self.loud < BEGINS {
                return None;
            }
            self.said_ms = FRAME_MS * u32::try_from(self.before.len()).unwrap_or_default();
            self.said = Some(self.before.drain(..).flatten().collect());
            return Some(Heard::Began);
        };
        said.extend_from_slice(frame);
        self.said_ms = self.said_ms.saturating_add(FRAME_MS);
        self.silent_ms = if is_loud {
            0
        } else {
            self.silent_ms + FRAME_MS
        };
        if self.silent_ms < self.end_ms && self.said_ms < self.longest_ms {
            return None;
        }
        self.done = true;
        self.said.take().map(Heard::Ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FRAME_SAMPLES, SILENT_FRAME, tone::sine};

    fn frame(hz: f64, dbov: f64) -> Frame {
        sine(hz, dbov, FRAME_SAMPLES).try_into().unwrap()
    }

    #[test]
    fn an_utterance_has_a_beginning_and_an_end() {
        let (speech, murmur) = (frame(500.0, -20.0), frame(500.0, -60.0));
        let mut detector = UtteranceDetector::new(600, 13_000);
        for _ in 0..50 {
            assert_eq!(detector.push(&murmur), None);
        }
        // A click is none.
        assert_eq!(detector.push(&speech), None);
        assert_eq!(detector.push(&SILENT_FRAME), None);
        assert_eq!(detector.push(&speech), None);
        assert_eq!(detector.push(&speech), None);
        assert_eq!(detector.push(&speech), Some(Heard::Began));
        for pause in [29, 20] {
            (0..pause).for_each(|_| assert_eq!(detector.push(&murmur), None));
            (0..10).for_each(|_| assert_eq!(detector.push(&speech), None));
        }
        (0..29).for_each(|_| assert_eq!(detector.push(&murmur), None));
        let Some(Heard::Ended(said)) = detector.push(&murmur) else {
            panic!("600 ms of silence end it");
        };
        assert_eq!(said.len(), (15 + 29 + 10 + 20 + 10 + 30) * FRAME_SAMPLES);
        assert_eq!(said[12 * FRAME_SAMPLES..][..FRAME_SAMPLES], speech);
        assert_eq!(detector.push(&speech), None);
    }

    #[test]
    fn a_long_one_is_cut() {
        let speech = frame(500.0, -20.0);
        let mut detector = UtteranceDetector::new(600, 1_000);
        let ends = (1..).find(|_| matches!(detector.push(&speech), Some(Heard::Ended(_))));
        assert_eq!(ends, Some(50));
    }
}
