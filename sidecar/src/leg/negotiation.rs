//! What offer and answer mean for a leg's audio.

use std::net::SocketAddr;

use skillcall_media::codec::Codec;
use skillcall_media::encoding::Encoding;
use skillcall_media::rtp::PayloadType;
use skillcall_media::session::{Format, PacketTime};
use skillcall_sip::sdp;

use super::shim::{INNER, INNER_EVENTS, Wire, WireEvents};

/// What was agreed on, for the media session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// Codec, payload types, for the media session.
    pub(crate) format: Format,
    /// What the peer speaks, where it is none of the media session's codecs.
    pub(crate) wire: Option<Wire>,
    /// Where the peer says that it listens.
    pub(crate) remote: SocketAddr,
    /// The same for RTCP.
    pub(crate) remote_rtcp: SocketAddr,
    /// Whether we send.
    pub(crate) we_send: bool,
    /// Whether the peer may send.
    pub(crate) we_receive: bool,
    /// The keys of SRTP; none: media are not encrypted.
    pub(crate) srtp: Option<sdp::NegotiatedSrtp>,
    /// Video.
    pub(crate) video: Option<sdp::NegotiatedVideo>,
}

impl From<&sdp::Negotiated> for Agreed {
    fn from(negotiated: &sdp::Negotiated) -> Self {
        let packet_time = PacketTime::from_ms(negotiated.ptime);
        let (mut format, wire) = match encoding(negotiated.codec).g711() {
            Some(codec) => (spoken(codec, negotiated), None),
            None => {
                let wire = wire(negotiated);
                let events = INNER_EVENTS.filter(|_| wire.events.is_some());
                (Format::new(INNER, events), Some(wire))
            }
        };
        format.packet_time = packet_time;
        Self {
            format,
            wire,
            remote: negotiated.remote,
            remote_rtcp: negotiated.rtcp,
            we_send: negotiated.direction.sends(),
            we_receive: negotiated.direction.receives(),
            srtp: negotiated.srtp.clone(),
            video: negotiated.video.clone(),
        }
    }
}

/// The codec as the media know it.
pub(crate) const fn encoding(codec: sdp::Codec) -> Encoding {
    match codec {
        sdp::Codec::Pcmu => Encoding::Pcmu,
        sdp::Codec::Pcma => Encoding::Pcma,
        sdp::Codec::G722 => Encoding::G722,
        sdp::Codec::Opus => Encoding::Opus,
    }
}

/// The codec as descriptions know it.
pub(crate) const fn codec(encoding: Encoding) -> sdp::Codec {
    match encoding {
        Encoding::Pcmu => sdp::Codec::Pcmu,
        Encoding::Pcma => sdp::Codec::Pcma,
        Encoding::G722 => sdp::Codec::G722,
        Encoding::Opus => sdp::Codec::Opus,
    }
}

/// A codec that the media session speaks itself.
fn spoken(codec: Codec, negotiated: &sdp::Negotiated) -> Format {
    // Events at another clock than the audio's would need a time line of their own.
    let events = negotiated
        .telephone_event
        .filter(|event| event.clock == negotiated.codec.clock());
    let mut format = Format::new(codec, None);
    format.events = events.and_then(|event| PayloadType::new(event.send_payload));
    format.receive_events = events.and_then(|event| PayloadType::new(event.receive_payload));
    if let Some(payload_type) = PayloadType::new(negotiated.send_payload) {
        format.payload_type = payload_type;
    }
    if let Some(payload_type) = PayloadType::new(negotiated.receive_payload) {
        format.receive_payload_type = payload_type;
    }
    format
}

/// A codec that stays on the wire. Many a phone has telephone events at 8000 Hz only, beside Opus too (RFC 4733 §2.1 wants its
/// clock): their durations count in their own clock then.
fn wire(negotiated: &sdp::Negotiated) -> Wire {
    let number = |payload: u8| PayloadType::new(payload).unwrap_or(PayloadType::PCMU);
    let events = negotiated
        .telephone_event
        .filter(|event| event.clock == negotiated.codec.clock() || event.clock == 8000);
    Wire {
        encoding: encoding(negotiated.codec),
        send: number(negotiated.send_payload),
        receive: number(negotiated.receive_payload),
        events: events.map(|event| WireEvents {
            send: number(event.send_payload),
            receive: number(event.receive_payload),
            clock: event.clock,
        }),
        in_band_fec: negotiated.opus.in_band_fec,
        max_bitrate: negotiated.opus.max_average_bitrate,
    }
}

/// The codec's name in SDP.
pub(crate) fn codec_name(codec: Codec) -> &'static str {
    match codec {
        Codec::Pcmu => "PCMU",
        Codec::Pcma => "PCMA",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skillcall_sip::sdp::{Capabilities, MediaSession};

    fn session() -> MediaSession {
        MediaSession::new(Capabilities::new([127, 0, 0, 1].into(), 40_000), 1)
    }

    fn numbers(format: Format) -> [Option<u8>; 4] {
        [
            Some(format.payload_type.number()),
            Some(format.receive_payload_type.number()),
            format.events.map(PayloadType::number),
            format.receive_events.map(PayloadType::number),
        ]
    }

    #[test]
    fn an_answer_with_numbers_of_its_own_keeps_ours_for_what_we_receive() {
        let mut session = session();
        session.offer();
        let answer = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
            m=audio 4000 RTP/AVP 118 96\r\na=rtpmap:118 PCMA/8000\r\n\
            a=rtpmap:96 telephone-event/8000\r\na=ptime:30\r\n";
        let negotiated = session.accept_answer(answer.as_bytes()).unwrap();
        let agreed = Agreed::from(&negotiated);
        assert_eq!(
            numbers(agreed.format),
            [Some(118), Some(8), Some(96), Some(101)]
        );
        assert_eq!(agreed.format.packet_time.ms(), 30);
        // Our later offers name ours still.
        let again = String::from_utf8(session.offer().to_vec()).unwrap();
        assert!(
            again.contains("telephone-event/8000") && again.contains("a=rtpmap:101 "),
            "{again}"
        );
    }

    #[test]
    fn an_offers_numbers_hold_both_ways_and_events_at_another_clock_are_left_out() {
        let offer = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
            m=audio 4000 RTP/AVP 8 97\r\na=rtpmap:97 telephone-event/8000\r\n";
        let (_, negotiated) = session().answer(offer.as_bytes()).unwrap();
        let agreed = Agreed::from(&negotiated);
        assert_eq!(
            numbers(agreed.format),
            [Some(8), Some(8), Some(97), Some(97)]
        );
        let offer = offer.replace("telephone-event/8000", "telephone-event/16000");
        let (_, negotiated) = session().answer(offer.as_bytes()).unwrap();
        assert_eq!(
            numbers(Agreed::from(&negotiated).format),
            [Some(8), Some(8), None, None]
        );
    }
}
