//! The sending half: one packet a tick, on a sample clock that never runs back.

use std::time::Instant;

use super::{AudioSession, Outgoing, PacketTime};
use crate::{
    FRAME_SAMPLES,
    dtmf::SendStep,
    rtp::{RtpHeader, Sequence, Timestamp},
    samples_in,
};

const FRAME: u32 = FRAME_SAMPLES as u32;
/// When ticks have stopped for longer than this, the clock follows the time that has passed: a second.
const TICKS_STOPPED: u32 = crate::SAMPLE_RATE;

/// Where the outgoing stream stands.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    next_sequence: Sequence,
    /// Timestamp of the frame of the coming tick.
    next_frame: Timestamp,
    ticked: Instant,
    /// End of the latest audio that was sent: nothing sent later begins before it.
    sent_up_to: Timestamp,
    /// Whether the last thing sent was audio of the same kind, which the next audio continues.
    in_spurt: bool,
}

impl Clock {
    pub(super) fn new(sequence: Sequence, timestamp: Timestamp, now: Instant) -> Self {
        Self {
            next_sequence: sequence,
            next_frame: timestamp,
            ticked: now,
            sent_up_to: timestamp,
            in_spurt: false,
        }
    }

    pub(super) fn next_sequence(&self) -> Sequence {
        self.next_sequence
    }

    /// The timestamp of something that begins `now`.
    pub(super) fn timestamp(&self, now: Instant) -> Timestamp {
        let passed = samples_in(now.saturating_duration_since(self.ticked));
        self.not_before_sent(
            self.next_frame
                .plus(if passed > TICKS_STOPPED { passed } else { 0 }),
        )
    }

    fn not_before_sent(&self, timestamp: Timestamp) -> Timestamp {
        if timestamp.since(self.sent_up_to) < 0 {
            self.sent_up_to
        } else {
            timestamp
        }
    }

    /// The timestamp of this tick's frame; the next call gives the next frame's.
    fn tick(&mut self, now: Instant) -> Timestamp {
        let frame = self.timestamp(now);
        self.next_frame = frame.plus(FRAME);
        self.ticked = now;
        frame
    }

    /// Notes a packet with the given number and the end of its audio.
    pub(super) fn sent(&mut self, sequence: Sequence, end: Timestamp) {
        if sequence.plus(1).since(self.next_sequence) > 0 {
            self.next_sequence = sequence.plus(1);
        }
        if end.since(self.sent_up_to) > 0 {
            self.sent_up_to = end;
        }
    }

    pub(super) fn leave_spurt(&mut self) {
        self.in_spurt = false;
    }

    /// Marks the audio sent as the continuation of what follows; true when it begins a talk-spurt.
    pub(super) fn enter_spurt(&mut self) -> bool {
        !std::mem::replace(&mut self.in_spurt, true)
    }
}

impl AudioSession {
    /// Goes on by 20 ms: writes the packet that is due into `out` and returns its length. Where packets are not of
    /// 20 ms ([`Format::packet_time`](super::Format::packet_time)), some ticks have none, and
    /// [`AudioSession::poll_audio`] gives what some have beside it.
    ///
    /// A digit that is being sent takes the place of `outgoing`. `None`: nothing is due, or `out` is shorter than the
    /// packet ([`crate::rtp::MAX_PACKET`] bytes always suffice). An owner who was held up makes up for
    /// the ticks that it missed; after more than a second, one tick does, and the timestamps follow the time.
    pub fn tick(&mut self, now: Instant, outgoing: Outgoing<'_>, out: &mut [u8]) -> Option<usize> {
        self.receiver.expire(now);
        let timestamp = self.clock.tick(now);
        if !self.sender.is_idle() && !self.pending.is_empty() {
            // What was said before a digit is heard before it; the digit begins a tick later.
            return self.flush(out);
        }
        match self.sender.step(timestamp) {
            SendStep::Idle => {}
            SendStep::Pause => {
                self.leave_audio();
                return None;
            }
            SendStep::Report(report) => {
                self.leave_audio();
                let header = RtpHeader {
                    marker: report.marker,
                    payload_type: self.format.events?,
                    sequence: self.clock.next_sequence(),
                    timestamp: report.timestamp,
                    ssrc: self.ssrc,
                };
                let len = header.write(&report.payload.to_bytes(), out)?;
                self.sent_digits.report(report.timestamp, report.payload);
                // Audio after the event does not begin before its end.
                return self.sent(header.sequence, timestamp.plus(FRAME), len);
            }
        }
        let codec = self.format.codec;
        let payload_len = match outgoing {
            Outgoing::Nothing => {
                let rest = self.flush(out);
                // While packets are relayed, the owner's silence interrupts nothing.
                if self.anchor.is_none() {
                    self.clock.leave_spurt();
                }
                return rest;
            }
            Outgoing::Silence | Outgoing::Pcm(_) => FRAME_SAMPLES,
            Outgoing::Encoded(codes) => codes.len().min(FRAME_SAMPLES),
        };
        if self.anchor.take().is_some() {
            self.clock.leave_spurt();
        }
        let write = |body: &mut [u8]| match outgoing {
            Outgoing::Nothing | Outgoing::Silence => body.fill(codec.silence()),
            Outgoing::Encoded(codes) => {
                let len = codes.len().min(body.len());
                let (said, silent) = body.split_at_mut(len);
                said.copy_from_slice(codes.get(..len).unwrap_or_default());
                silent.fill(codec.silence());
            }
            Outgoing::Pcm(frame) => {
                codec.encode(frame, body);
            }
        };
        if self.format.packet_time != PacketTime::default() {
            self.pending.push(timestamp, write);
            return self.poll_audio(out);
        }
        let header = RtpHeader {
            marker: self.clock.enter_spurt(),
            payload_type: self.format.payload_type,
            sequence: self.clock.next_sequence(),
            timestamp,
            ssrc: self.ssrc,
        };
        let len = header.write_with(payload_len, out, write)?;
        self.sent(header.sequence, timestamp.plus(FRAME), len)
    }

    fn leave_audio(&mut self) {
        self.anchor = None;
        self.clock.leave_spurt();
    }

    pub(super) fn sent(&mut self, sequence: Sequence, end: Timestamp, len: usize) -> Option<usize> {
        self.clock.sent(sequence, end);
        self.packets_sent += 1;
        self.bytes_sent += (len - crate::rtp::HEADER_LEN) as u64;
        Some(len)
    }
}
