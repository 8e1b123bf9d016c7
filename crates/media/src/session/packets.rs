//! Packet times other than a tick's 20 ms: audio waits here until a packet is full.

use super::AudioSession;
use crate::{
    FRAME_MS, FRAME_SAMPLES, SAMPLES_PER_MS,
    rtp::{RtpHeader, Timestamp},
};

/// Audio of one packet (RFC 8866 §6.4: `ptime`): 10 to 60 ms in steps of 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PacketTime(u32);

impl PacketTime {
    /// The least.
    pub const MIN: Self = Self(10);
    /// The most.
    pub const MAX: Self = Self(60);

    /// A packet time in milliseconds, rounded down to a step and brought into its bounds.
    pub const fn from_ms(ms: u32) -> Self {
        let steps = ms / 10 * 10;
        if steps < Self::MIN.0 {
            Self::MIN
        } else if steps > Self::MAX.0 {
            Self::MAX
        } else {
            Self(steps)
        }
    }

    /// In milliseconds.
    pub const fn ms(self) -> u32 {
        self.0
    }

    /// In samples, which are octets of G.711.
    pub const fn samples(self) -> usize {
        (self.0 * SAMPLES_PER_MS) as usize
    }
}

impl Default for PacketTime {
    /// A tick's 20 ms, which is also the default of G.711 (RFC 3551 §4.2).
    fn default() -> Self {
        Self(FRAME_MS)
    }
}

/// A packet that is almost full, and a tick's frame.
const ROOM: usize = PacketTime::MAX.samples() + FRAME_SAMPLES;

/// Codes that are not sent yet.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    codes: [u8; ROOM],
    len: usize,
    /// Timestamp of the first of them.
    start: Timestamp,
}

impl Pending {
    pub(super) fn new() -> Self {
        Self {
            codes: [0; ROOM],
            len: 0,
            start: Timestamp(0),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    /// Appends a frame that begins at `timestamp`; what does not lead up to it is dropped.
    pub(super) fn push(&mut self, timestamp: Timestamp, write: impl FnOnce(&mut [u8])) {
        if self.len + FRAME_SAMPLES > ROOM || self.start.plus(self.len as u32) != timestamp {
            self.clear();
        }
        if self.is_empty() {
            self.start = timestamp;
        }
        if let Some(room) = self.codes.get_mut(self.len..self.len + FRAME_SAMPLES) {
            write(room);
            self.len += FRAME_SAMPLES;
        }
    }

    fn remove(&mut self, sent: usize) {
        self.codes.copy_within(sent.min(self.len)..self.len, 0);
        self.len = self.len.saturating_sub(sent);
        self.start = self.start.plus(sent as u32);
    }
}

impl AudioSession {
    /// The next packet that is due beside the one that [`AudioSession::tick`] gave: with packets of 10 ms there are two
    /// a tick. Call it after each tick until it gives `None`.
    pub fn poll_audio(&mut self, out: &mut [u8]) -> Option<usize> {
        let full = self.format.packet_time.samples();
        if self.pending.len < full {
            return None;
        }
        self.send_pending(full, out)
    }

    /// Sends what waits, though the packet is not full: what follows is no audio.
    pub(super) fn flush(&mut self, out: &mut [u8]) -> Option<usize> {
        if self.pending.is_empty() {
            return None;
        }
        self.send_pending(self.pending.len.min(PacketTime::MAX.samples()), out)
    }

    fn send_pending(&mut self, samples: usize, out: &mut [u8]) -> Option<usize> {
        let start = self.pending.start;
        let header = RtpHeader {
            marker: self.clock.enter_spurt(),
            payload_type: self.format.payload_type,
            sequence: self.clock.next_sequence(),
            timestamp: start,
            ssrc: self.ssrc,
        };
        let codes = self.pending.codes.get(..samples)?;
        let len = header.write(codes, out)?;
        self.pending.remove(samples);
        self.sent(header.sequence, start.plus(samples as u32), len)
    }
}
