//! A peer whose codec the media session does not speak: its packets become G.711 here, and ours become the peer's. What two bridged
//! peers share passes as it is.

use skillcall_media::codec::Codec;
use skillcall_media::encoding::Encoding;
use skillcall_media::rtp::{MAX_PACKET, PayloadType};
use skillcall_media::transcode::{OpusSettings, Side, SideEvents, TranscodeError, Transcoder};
use skillcall_webrtc::Audio;

/// What the media session speaks on this side of the shim.
pub(super) const INNER: Codec = Codec::Pcmu;

/// Telephone events of the media session on this side of the shim.
pub(super) const INNER_EVENTS: Option<PayloadType> = PayloadType::new(101);

/// What the peer's side speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wire {
    /// The codec.
    pub(super) encoding: Encoding,
    /// The payload type that we send.
    pub(super) send: PayloadType,
    /// The payload type that we receive.
    pub(super) receive: PayloadType,
    /// Telephone events.
    pub(super) events: Option<WireEvents>,
    /// Whether the peer takes Opus' error correction.
    pub(super) in_band_fec: bool,
    /// The most bits a second that it wants of Opus.
    pub(super) max_bitrate: Option<u32>,
}

/// The peer's telephone events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WireEvents {
    /// The payload type that we send.
    pub(super) send: PayloadType,
    /// The payload type that we receive.
    pub(super) receive: PayloadType,
    /// The clock of durations in Hz.
    pub(super) clock: u32,
}

impl From<&Audio> for Wire {
    fn from(audio: &Audio) -> Self {
        Self {
            encoding: audio.encoding,
            send: audio.send,
            receive: audio.receive,
            // Telephone events of a device's leg would need a clock of their own: digits go as tones.
            events: None,
            in_band_fec: audio.opus.in_band_fec,
            max_bitrate: audio.opus.max_average_bitrate,
        }
    }
}

/// Both directions of a peer's audio.
#[derive(Debug)]
pub(super) struct Shim {
    wire: Wire,
    inbound: Option<Box<Transcoder>>,
    outbound: Box<Transcoder>,
}

impl Shim {
    /// What stands between a peer and the media session; none where both speak G.711.
    ///
    /// # Errors
    /// No codec could be made.
    pub(super) fn between(wire: Wire) -> Result<Option<Self>, TranscodeError> {
        if wire.encoding.g711().is_some() {
            return Ok(None);
        }
        let inner_events = INNER_EVENTS.filter(|_| wire.events.is_some());
        let inner = Side {
            encoding: Encoding::from(INNER),
            payload_type: INNER.static_payload_type(),
            events: inner_events.map(|payload_type| SideEvents {
                payload_type,
                clock: Encoding::from(INNER).clock(),
            }),
        };
        let outer = |payload_type, events: fn(WireEvents) -> PayloadType| Side {
            encoding: wire.encoding,
            payload_type,
            events: wire.events.map(|wire| SideEvents {
                payload_type: events(wire),
                clock: wire.clock,
            }),
        };
        let defaults = OpusSettings::default();
        let most = wire.max_bitrate.unwrap_or(defaults.bitrate);
        let opus = OpusSettings {
            bitrate: defaults.bitrate.min(most).max(6_000),
            in_band_fec: wire.in_band_fec,
            dtx: false,
            ..defaults
        };
        let inbound = Transcoder::new(outer(wire.receive, |events| events.receive), inner, opus)?;
        let outbound = Transcoder::new(inner, outer(wire.send, |events| events.send), opus)?;
        Ok(Some(Self {
            wire,
            inbound: Some(Box::new(inbound)),
            outbound: Box::new(outbound),
        }))
    }

    /// Whether it still fits what was agreed on.
    pub(super) fn fits(&self, other: &Wire) -> bool {
        let wire = |wire: &Wire| (wire.encoding, wire.send, wire.receive, wire.events);
        wire(&self.wire) == wire(other)
    }

    /// The codec of the peer's side.
    pub(super) const fn encoding(&self) -> Encoding {
        self.wire.encoding
    }

    /// The way in, for as long as a packet passes it.
    pub(super) fn take_inbound(&mut self) -> Option<Box<Transcoder>> {
        self.inbound.take()
    }

    /// Gives the way in back.
    pub(super) fn give_inbound(&mut self, inbound: Box<Transcoder>) {
        self.inbound = Some(inbound);
    }

    /// Timestamps of the peer's reports, in our clock.
    pub(super) fn rewrite_inbound_rtcp(&self, datagram: &mut [u8]) {
        if let Some(inbound) = &self.inbound {
            inbound.rewrite_rtcp(datagram);
        }
    }

    /// Timestamps of our reports, in the peer's clock.
    pub(super) fn rewrite_outbound_rtcp(&self, datagram: &mut [u8]) {
        self.outbound.rewrite_rtcp(datagram);
    }

    /// A packet of ours as packets of the peer's, each in a buffer with room for SRTP's tag. `passes`: its payload is in the peer's
    /// codec already.
    pub(super) fn outbound(
        &mut self,
        packet: &[u8],
        passes: bool,
        mut give: impl FnMut(&mut [u8; MAX_PACKET], usize),
    ) {
        let take = |made: &[u8]| {
            let mut out = [0; MAX_PACKET];
            if let Some(room) = out.get_mut(..made.len()) {
                room.copy_from_slice(made);
                give(&mut out, made.len());
            }
        };
        // What cannot be transcoded is lost, as packets are.
        let _ = match passes {
            true => self.outbound.pass(packet, take),
            false => self.outbound.push(packet, take),
        };
    }
}
