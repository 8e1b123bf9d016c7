//! What offer and answer mean for a leg's audio.

use std::net::SocketAddr;

use skillcall_media::codec::Codec;
use skillcall_media::rtp::PayloadType;
use skillcall_media::session::Format;
use skillcall_sip::sdp;

/// What was agreed on, for the media session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// Codec, payload types.
    pub(crate) format: Format,
    /// Where the peer says that it listens.
    pub(crate) remote: SocketAddr,
    /// The same for RTCP.
    pub(crate) remote_rtcp: SocketAddr,
    /// Whether we send.
    pub(crate) we_send: bool,
    /// Whether the peer may send.
    pub(crate) we_receive: bool,
}

impl From<&sdp::Negotiated> for Agreed {
    fn from(negotiated: &sdp::Negotiated) -> Self {
        let codec = match negotiated.codec {
            sdp::Codec::Pcmu => Codec::Pcmu,
            sdp::Codec::Pcma => Codec::Pcma,
        };
        // Events at another clock than the audio's would need a time line of their own.
        let events = negotiated
            .telephone_event
            .filter(|event| event.clock == negotiated.codec.clock())
            .and_then(|event| PayloadType::new(event.send_payload));
        let mut format = Format::new(codec, events);
        if let Some(payload_type) = PayloadType::new(negotiated.send_payload) {
            format.payload_type = payload_type;
        }
        Self {
            format,
            remote: negotiated.remote,
            remote_rtcp: negotiated.rtcp,
            we_send: negotiated.direction.sends(),
            we_receive: negotiated.direction.receives(),
        }
    }
}

/// The codec's name in SDP.
pub(crate) fn codec_name(codec: Codec) -> &'static str {
    match codec {
        Codec::Pcmu => "PCMU",
        Codec::Pcma => "PCMA",
    }
}
