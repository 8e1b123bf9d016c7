//! What offer and answer mean for the media.

use std::net::SocketAddr;

use skillcall_media::codec::Codec;
use skillcall_media::rtp::PayloadType;
use skillcall_media::session::Format;
use skillcall_sip::sdp::{self, Capabilities, MediaSession, Negotiated};

/// Our side of a call at this RTP address: PCMU, PCMA and telephone events (facts K1).
pub(super) fn session(local: SocketAddr) -> MediaSession {
    // RFC 8866 §5.2: a number that is new for each session; below 2^63, as some read it signed.
    MediaSession::new(
        Capabilities::new(local.ip(), local.port()),
        rand::random::<u64>() >> 2,
    )
}

/// The peer's RTP address and what is sent there.
pub(super) fn agreed(negotiated: &Negotiated) -> Option<(SocketAddr, Format)> {
    let codec = match negotiated.codec {
        sdp::Codec::Pcmu => Codec::Pcmu,
        sdp::Codec::Pcma => Codec::Pcma,
        // They are not offered.
        sdp::Codec::G722 | sdp::Codec::Opus => return None,
    };
    let mut format = Format::new(codec, None);
    format.payload_type = PayloadType::new(negotiated.send_payload)?;
    format.receive_payload_type = PayloadType::new(negotiated.receive_payload)?;
    // At another clock than the audio's the durations would mean something else.
    if let Some(event) = negotiated.telephone_event
        && event.clock == 8000
    {
        format.events = Some(PayloadType::new(event.send_payload)?);
        format.receive_events = Some(PayloadType::new(event.receive_payload)?);
    }
    Some((negotiated.remote, format))
}
