//! Requests for a key frame: Picture Loss Indication (RFC 4585 §6.3.1) and Full Intra Request (RFC 5104 §4.3.1).

use std::time::{Duration, Instant};

/// Between two requests: the answer to one takes its time, and whoever asks asks again.
const APART: Duration = Duration::from_millis(250);
const PAYLOAD_FEEDBACK: u8 = 206;
const PICTURE_LOSS: u8 = 1;
const FULL_INTRA: u8 = 4;

/// How a peer is asked for a key frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFrame {
    /// Picture Loss Indication.
    PictureLoss,
    /// Full Intra Request.
    FullIntra,
}

/// Requests of both sides.
#[derive(Clone, Debug, Default)]
pub(super) struct Requests {
    asked: Option<Instant>,
    /// The number of our last Full Intra Request.
    ours: u8,
    /// The number of the peer's last: the same once more is no other request.
    theirs: Option<u8>,
}

impl Requests {
    /// Whether a request may be made now.
    pub(super) fn take_turn(&mut self, now: Instant) -> bool {
        let waits = self
            .asked
            .is_some_and(|asked| now.saturating_duration_since(asked) < APART);
        if !waits {
            self.asked = Some(now);
        }
        !waits
    }

    /// Whether feedback asks for a key frame of ours.
    pub(super) fn read(&mut self, ours: u32, format: u8, media: u32, information: &[u8]) -> bool {
        match format {
            PICTURE_LOSS => media == ours,
            FULL_INTRA => {
                let entries = information.as_chunks::<8>().0.iter();
                let mut of_us = entries.filter(|entry| entry[..4] == ours.to_be_bytes());
                of_us
                    .next()
                    .is_some_and(|entry| self.theirs.replace(entry[4]) != Some(entry[4]))
            }
            _ => false,
        }
    }

    /// Writes a request behind a report; its length.
    pub(super) fn write(
        &mut self,
        how: KeyFrame,
        sender: u32,
        media: u32,
        out: &mut [u8],
    ) -> Option<usize> {
        let (sender, source) = (sender.to_be_bytes(), media.to_be_bytes());
        let mut packet = Vec::with_capacity(20);
        match how {
            KeyFrame::PictureLoss => {
                packet.extend([0x80 | PICTURE_LOSS, PAYLOAD_FEEDBACK, 0, 2]);
                packet.extend(sender);
                packet.extend(source);
            }
            KeyFrame::FullIntra => {
                self.ours = self.ours.wrapping_add(1);
                packet.extend([0x80 | FULL_INTRA, PAYLOAD_FEEDBACK, 0, 4]);
                packet.extend(sender);
                packet.extend([0; 4]);
                packet.extend(source);
                packet.extend([self.ours, 0, 0, 0]);
            }
        }
        out.get_mut(..packet.len())?.copy_from_slice(&packet);
        Some(packet.len())
    }
}
