//! The tick of 20 ms: what each leg says and hears, what is recorded of it, and the engine's times.

use std::sync::atomic::Ordering;
use std::time::Instant;

use skillcall_media::SILENT_FRAME;
use skillcall_media::rtp::MAX_PACKET;
use skillcall_protocol::sma::action::Digit;
use skillcall_protocol::trace::Direction;

use super::call::CallKey;
use super::{LATE, MOST_BEHIND, Running, TICK};
use crate::engine::{Input, LegId, Now, RecordingEnd};
use crate::leg::{LegMedia, SentFrame};

impl Running {
    pub(super) fn tick_if_due(&mut self, now: Instant) {
        self.forget_dialogs(now);
        if self.calls.is_empty() {
            self.beginning.clear();
            return;
        }
        self.begin_to_speak(now);
        let behind = now.saturating_duration_since(self.next_tick);
        if behind > MOST_BEHIND {
            self.shared
                .figures
                .late_ticks
                .fetch_add(1, Ordering::Relaxed);
            self.next_tick = now;
        } else if behind > LATE {
            self.shared
                .figures
                .late_ticks
                .fetch_add(1, Ordering::Relaxed);
        }
        while self.next_tick <= now {
            self.next_tick += TICK;
            self.tick(now);
        }
        self.engine_timeouts(now);
        self.look_for_silence(now);
    }

    /// The first frame of legs on which nothing was said before goes out at once; the others follow by the clock.
    fn begin_to_speak(&mut self, now: Instant) {
        let mut out = [0; MAX_PACKET];
        while let Some(slot) = self.beginning.pop() {
            if self.media.get(slot).is_some_and(LegMedia::begins_to_speak) {
                self.tick_leg(slot, now, &mut out);
            }
        }
    }

    fn tick(&mut self, now: Instant) {
        let mut out = [0; MAX_PACKET];
        self.listen();
        for slot in 0..self.media_owner.len() {
            self.tick_leg(slot, now, &mut out);
        }
    }

    fn tick_leg(&mut self, slot: usize, now: Instant, out: &mut [u8; MAX_PACKET]) {
        let Some(&Some((key, leg))) = self.media_owner.get(slot) else {
            return;
        };
        self.tick_device(slot, now);
        let cleaned = self
            .media
            .get(slot)
            .and_then(|media| self.media.get(media.bridged?))
            .filter(|other| other.focus.is_some())
            .map(|other| other.heard);
        let Some(media) = self.media.get_mut(slot) else {
            return;
        };
        media.tick_video(now);
        let (sent, ended) = media.tick(now, cleaned.as_ref(), out);
        if let Some(play) = ended {
            self.input(key, Input::PlayEnded { play });
        }
        self.record(slot, key, leg, sent);
        self.read_digits(slot);
        self.read_sent_digits(slot);
    }

    /// First half of a tick: what each peer said, where somebody needs it.
    fn listen(&mut self) {
        for slot in 0..self.media_owner.len() {
            let Some(bridged) = self.media.get(slot).map(|media| media.bridged) else {
                continue;
            };
            let wanted = bridged
                .and_then(|other| self.media.get(other))
                .is_some_and(|other| {
                    other
                        .call_recording
                        .as_ref()
                        .is_some_and(crate::recording::Tap::wants_outgoing)
                });
            let Some(media) = self.media.get_mut(slot) else {
                continue;
            };
            media.settle_listening(wanted);
            let found = media.hear();
            let heard = media.heard;
            self.hear_utterance(slot);
            let Some(media) = self.media.get_mut(slot) else {
                continue;
            };
            let ended = media.seat.as_ref().is_some_and(|seat| !seat.say(&heard));
            if ended {
                media.seat = None;
            }
            let Some(&Some((key, leg))) = self.media_owner.get(slot) else {
                continue;
            };
            if let Some(found) = found {
                // How long it sounded is not known when it is told.
                self.trace_digit(slot, Direction::Received, found, 0);
            }
            if let Some(digit) = found.and_then(|found| Digit::new(found.as_char())) {
                self.input(key, Input::Digit { leg, digit });
            }
            if ended && let Some(meeting) = self.call(key).and_then(|call| call.meeting) {
                self.input(
                    key,
                    Input::HungUp {
                        leg: meeting,
                        code: 0,
                    },
                );
            }
        }
    }

    /// Second half: what each peer said and heard goes to its recordings.
    fn record(&mut self, slot: usize, key: CallKey, leg: LegId, sent: SentFrame) {
        let Some(media) = self.media.get(slot) else {
            return;
        };
        if media.recording.is_none() && media.call_recording.is_none() {
            return;
        }
        let outgoing = match sent {
            SentFrame::Prompt => media.sent,
            SentFrame::Bridged => media
                .bridged
                .and_then(|other| self.media.get(other))
                .map_or(SILENT_FRAME, |other| other.heard),
            SentFrame::Silence => SILENT_FRAME,
        };
        let Some(media) = self.media.get_mut(slot) else {
            return;
        };
        let heard = media.heard;
        if let Some(tap) = &mut media.call_recording {
            tap.push(&heard, &outgoing);
            if tap.has_overrun() {
                media.call_recording = None;
                self.input(
                    key,
                    Input::CallRecordingFailed {
                        leg,
                        failure: super::commands::disk_is_slow(),
                    },
                );
            }
        }
        let Some(media) = self.media.get_mut(slot) else {
            return;
        };
        if let Some((recording, tap)) = &mut media.recording {
            let recording = *recording;
            let end: Option<RecordingEnd> = tap.push(&heard, &outgoing);
            if tap.has_overrun() {
                media.recording = None;
                self.input(
                    key,
                    Input::RecordingFailed {
                        recording,
                        failure: super::commands::disk_is_slow(),
                    },
                );
            } else if let Some(end) = end {
                // Dropping the tap completes the file; the writer reports, and the end is told then.
                media.recording = None;
                if let Some(call) = self.call_mut(key) {
                    call.recording_ends.insert(recording, end);
                }
            }
        }
    }

    fn engine_timeouts(&mut self, now: Instant) {
        let due: Vec<CallKey> = self
            .calls
            .iter()
            .filter(|(_, call)| {
                call.engine
                    .deadline()
                    .is_some_and(|deadline| deadline <= now)
            })
            .map(|(slot, call)| CallKey {
                slot,
                serial: call.serial,
            })
            .collect();
        for key in due {
            if let Some(call) = self.call_mut(key) {
                if let Some(engine) = call.engine.engine() {
                    engine.handle_timeout(Now::from_system());
                } else if let Some(gateway) = call.engine.gateway() {
                    gateway.session.handle_timeout(now);
                }
                self.carry_out(key);
            }
        }
    }
}
