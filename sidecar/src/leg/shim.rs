//! A device whose codec the media session does not speak: its packets become G.711 here, and ours become the device's.

use skillcall_media::codec::Codec;
use skillcall_media::encoding::Encoding;
use skillcall_media::rtp::MAX_PACKET;
use skillcall_media::transcode::{OpusSettings, Side, TranscodeError, Transcoder};
use skillcall_webrtc::Audio;

/// What the media session speaks on this side of the shim.
pub(super) const INNER: Codec = Codec::Pcmu;

/// Both directions of a device's audio.
#[derive(Debug)]
pub(super) struct Shim {
    agreed: Audio,
    inbound: Option<Box<Transcoder>>,
    outbound: Box<Transcoder>,
}

impl Shim {
    /// What stands between a device and the media session; none where both speak G.711.
    ///
    /// # Errors
    /// No codec could be made.
    pub(super) fn between(audio: &Audio) -> Result<Option<Self>, TranscodeError> {
        if audio.encoding.g711().is_some() {
            return Ok(None);
        }
        // Telephone events of the device's leg would need a clock of their own: digits go as tones.
        let inner = Side {
            encoding: Encoding::from(INNER),
            payload_type: INNER.static_payload_type(),
            events: None,
        };
        let outer = |payload_type| Side {
            encoding: audio.encoding,
            payload_type,
            events: None,
        };
        let wanted = &audio.opus;
        let defaults = OpusSettings::default();
        let most = wanted.max_average_bitrate.unwrap_or(defaults.bitrate);
        let opus = OpusSettings {
            bitrate: defaults.bitrate.min(most).max(6_000),
            in_band_fec: wanted.in_band_fec,
            dtx: false,
            ..defaults
        };
        let inbound = Transcoder::new(outer(audio.receive), inner, opus)?;
        let outbound = Transcoder::new(inner, outer(audio.send), opus)?;
        Ok(Some(Self {
            agreed: *audio,
            inbound: Some(Box::new(inbound)),
            outbound: Box::new(outbound),
        }))
    }

    /// Whether it still fits what was agreed on.
    pub(super) fn fits(&self, audio: &Audio) -> bool {
        let wire = |audio: &Audio| (audio.encoding, audio.send, audio.receive);
        wire(&self.agreed) == wire(audio)
    }

    /// The way in, for as long as a packet passes it.
    pub(super) fn take_inbound(&mut self) -> Option<Box<Transcoder>> {
        self.inbound.take()
    }

    /// Gives the way in back.
    pub(super) fn give_inbound(&mut self, inbound: Box<Transcoder>) {
        self.inbound = Some(inbound);
    }

    /// Timestamps of the device's reports, in our clock.
    pub(super) fn rewrite_inbound_rtcp(&self, datagram: &mut [u8]) {
        if let Some(inbound) = &self.inbound {
            inbound.rewrite_rtcp(datagram);
        }
    }

    /// Timestamps of our reports, in the device's clock.
    pub(super) fn rewrite_outbound_rtcp(&self, datagram: &mut [u8]) {
        self.outbound.rewrite_rtcp(datagram);
    }

    /// A packet of ours as packets of the device's, each in a buffer with room for SRTP's tag.
    pub(super) fn outbound(
        &mut self,
        packet: &[u8],
        mut give: impl FnMut(&mut [u8; MAX_PACKET], usize),
    ) {
        // What cannot be transcoded is lost, as packets are.
        let _ = self.outbound.push(packet, |made| {
            let mut out = [0; MAX_PACKET];
            if let Some(room) = out.get_mut(..made.len()) {
                room.copy_from_slice(made);
                give(&mut out, made.len());
            }
        });
    }
}
