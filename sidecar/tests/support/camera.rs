//! Pictures that nobody decodes.

use skillcall_media::rtp::{HEADER_LEN, PayloadType, RtpHeader, Sequence, Timestamp};

/// Packets of video, each with the same payload, one for each 20 ms.
pub(crate) struct Camera {
    ssrc: u32,
    sequence: u16,
    shows: Vec<u8>,
}

impl Camera {
    pub(crate) fn new(ssrc: u32, shows: &[u8]) -> Self {
        Self {
            ssrc,
            sequence: 0,
            shows: shows.to_vec(),
        }
    }

    /// The next packet.
    pub(crate) fn packet(&mut self, payload_type: PayloadType) -> Vec<u8> {
        self.sequence = self.sequence.wrapping_add(1);
        let header = RtpHeader {
            marker: true,
            payload_type,
            sequence: Sequence(self.sequence),
            timestamp: Timestamp(u32::from(self.sequence) * 1_800),
            ssrc: self.ssrc,
        };
        let mut packet = vec![0; HEADER_LEN + self.shows.len()];
        header.write(&self.shows, &mut packet).unwrap();
        packet
    }
}
