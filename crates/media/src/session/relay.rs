//! The bridging path: a packet of the other leg becomes a packet of this one, without buffer and without decoding.

use std::time::Instant;

use super::{AudioSession, Media, Received};
use crate::{
    dtmf::EventPayload,
    rtp::{RtpHeader, Sequence, Timestamp},
    samples_in,
};

/// A jump of the source's numbers beyond this begins anew instead of leaving a hole.
const MAX_GAP: i16 = 1_000;
/// Timestamps that run apart from the clock by more than a second begin anew.
const MAX_DRIFT: i64 = 8_000;

/// How the numbers of the relayed source become ours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Anchor {
    source: u32,
    sequence_offset: u16,
    timestamp_offset: u32,
    /// Number of the first packet that was relayed: older ones would take numbers that were sent already.
    first: Sequence,
    highest: Sequence,
    /// Where the source's newest packet ended, and when it came.
    latest: Timestamp,
    at: Instant,
}

impl Anchor {
    fn covers(&self, now: Instant, header: &RtpHeader, end: Timestamp) -> bool {
        let passed = i64::from(samples_in(now.saturating_duration_since(self.at)));
        let moved = i64::from(end.since(self.latest));
        let gap = header.sequence.since(self.highest);
        header.ssrc == self.source
            && gap.checked_abs().is_some_and(|gap| gap <= MAX_GAP)
            && (moved - passed).abs() <= MAX_DRIFT
    }
}

impl AudioSession {
    /// Writes a packet that the other leg has received as a packet of this leg into `out` and returns its length.
    ///
    /// The header gets this leg's source, numbers, timestamps and payload types; PCMU and PCMA become each other where
    /// the legs differ. Loss, order and silence of the source stay as they are, for the peer's jitter buffer to see.
    /// `None`: this leg sends digits of its own, the peer takes no telephone events, or the packet is older than the
    /// beginning of the relay.
    pub fn relay(
        &mut self,
        now: Instant,
        received: &Received<'_>,
        out: &mut [u8],
    ) -> Option<usize> {
        if !self.sender.is_idle() {
            return None;
        }
        // The rest of a packet of our own would come after what follows it.
        self.pending.clear();
        let source = received.packet.header();
        let payload = received.packet.payload();
        let (payload_type, transcoding) = match received.media {
            Media::Audio(codec) => (
                Some(self.format.payload_type),
                Some(codec).filter(|codec| *codec != self.format.codec),
            ),
            Media::Event => (self.format.events, None),
            // It has no meaning that all peers know; a pause says the same.
            Media::ComfortNoise => (None, None),
        };
        // All reports of an event carry the time of its beginning; their duration tells how far it has come.
        let samples = match received.media {
            Media::Event => EventPayload::parse(payload)?.duration.into(),
            Media::Audio(_) => payload.len() as u32,
            Media::ComfortNoise => 0,
        };
        let end = source.timestamp.plus(samples);
        let Some(payload_type) = payload_type else {
            if let Some(anchor) = &mut self.anchor
                && anchor.covers(now, source, end)
                && source.sequence.since(anchor.highest) > 0
            {
                // What is left out on purpose leaves no hole, or the peer would count it as lost.
                anchor.sequence_offset = anchor.sequence_offset.wrapping_sub(1);
                anchor.highest = source.sequence;
            }
            return None;
        };
        let mut marker = source.marker;
        let anchor = match &mut self.anchor {
            Some(anchor) if anchor.covers(now, source, end) => anchor,
            _ => {
                let begins = self.clock.timestamp(now);
                let sequence = self.clock.next_sequence();
                marker = marker || !matches!(received.media, Media::Event);
                self.anchor.insert(Anchor {
                    source: source.ssrc,
                    sequence_offset: sequence.0.wrapping_sub(source.sequence.0),
                    timestamp_offset: begins.0.wrapping_sub(source.timestamp.0),
                    first: source.sequence,
                    highest: source.sequence,
                    latest: end,
                    at: now,
                })
            }
        };
        if source.sequence.since(anchor.first) < 0 {
            return None;
        }
        if source.sequence.since(anchor.highest) > 0 {
            anchor.highest = source.sequence;
            // The first number that is remembered moves along, or it would be "later" after half a round.
            if source.sequence.since(anchor.first) > MAX_GAP {
                anchor.first = source.sequence.plus((MAX_GAP as u16).wrapping_neg());
            }
        }
        if end.since(anchor.latest) > 0 {
            anchor.latest = end;
            anchor.at = now;
        }
        let header = RtpHeader {
            marker,
            payload_type,
            sequence: source.sequence.plus(anchor.sequence_offset),
            timestamp: source.timestamp.plus(anchor.timestamp_offset),
            ssrc: self.ssrc,
        };
        let to = self.format.codec;
        let len = header.write_with(payload.len(), out, |body| match transcoding {
            Some(from) => {
                from.transcode(to, payload, body);
            }
            None => body.copy_from_slice(payload),
        })?;
        if received.media == Media::Event
            && let Some(report) = EventPayload::parse(payload)
        {
            self.sent_digits.report(source.timestamp, report);
        }
        self.sent(header.sequence, header.timestamp.plus(samples), len)
    }

    /// Ends the relaying: the next packet of the other leg begins anew. Not needed when a tick sends audio or a digit.
    pub fn end_relay(&mut self) {
        self.anchor = None;
        self.clock.leave_spurt();
    }
}
