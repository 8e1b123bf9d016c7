//! A packet of 20 ms of G.711 that carries the time at which it was sent.

use std::time::Duration;

/// Bytes of the packet: RTP's header and 160 samples.
pub(in crate::sidecar) const LEN: usize = 12 + 160;
/// Room for a packet: SRTP makes it longer.
pub(in crate::sidecar) const ROOM: usize = LEN + skillcall_media::srtp::OVERHEAD;
/// Samples in a packet.
const SAMPLES: u32 = 160;
/// What the payload of our packets begins with: prompts and mixed speech do not.
const MARK: [u8; 8] = *b"bench \xe2\x8f";
/// Where the mark stands in the packet.
const MARKED: usize = 12;
/// Where the time stands in the packet.
const TIME: usize = MARKED + MARK.len();

/// What is sent on one leg (RFC 3550 §5.1, payload type 0).
#[derive(Debug, Clone)]
pub(super) struct Stream {
    sequence: u16,
    timestamp: u32,
    source: u32,
}

impl Stream {
    pub(super) fn new() -> Self {
        Self {
            sequence: rand::random(),
            timestamp: rand::random(),
            source: rand::random(),
        }
    }

    /// The next packet, sent at `now`, a time since 1970.
    pub(super) fn write(&mut self, now: Duration, packet: &mut [u8; ROOM]) {
        packet[0] = 0x80;
        packet[1] = 0;
        packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        packet[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        packet[8..12].copy_from_slice(&self.source.to_be_bytes());
        packet[MARKED..TIME].copy_from_slice(&MARK);
        packet[TIME..TIME + 8].copy_from_slice(&nanos(now).to_be_bytes());
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(SAMPLES);
    }
}

/// When a packet was sent that was relayed; none if it is none of ours.
pub(super) fn sent_at(packet: &[u8]) -> Option<Duration> {
    if packet.len() != LEN || packet.get(MARKED..TIME)? != MARK {
        return None;
    }
    let time = packet.get(TIME..TIME + 8)?.try_into().ok()?;
    Some(Duration::from_nanos(u64::from_be_bytes(time)))
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
