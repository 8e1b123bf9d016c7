//! Reading the peer's description.

use sdp_types::{Media, Session};
use skillcall_media::{encoding::Encoding, rtp::PayloadType};

use super::{
    Direction, OfferError, RemoteTransport,
    formats::{Kind, OpusParameters, Payload},
    video::RemoteVideo,
};

/// The most bytes of a description: Chromium's with video are some 8 kB.
const MAX_LEN: usize = 64 * 1024;
/// The most media lines.
const MAX_MEDIA: usize = 16;
/// The profiles under which SRTP by DTLS is offered. The older ones are written by stacks that go by RFC 5763's drafts
/// (facts G9).
const PROFILES: [&str; 4] = [
    "UDP/TLS/RTP/SAVPF",
    "UDP/TLS/RTP/SAVP",
    "RTP/SAVPF",
    "RTP/SAVP",
];

/// The header extension that names the line of a packet (RFC 8843 §15.1).
pub(super) const MID_EXTENSION: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";

/// A media line as the next description has to repeat it (RFC 3264 §8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) kind: String,
    pub(super) proto: String,
    pub(super) formats: String,
    pub(super) mid: Option<String>,
    /// Not rejected.
    pub(super) open: bool,
}

/// The peer's audio line.
#[derive(Clone, Debug)]
pub(super) struct RemoteAudio {
    /// Which media line it is.
    pub(super) index: usize,
    /// In the peer's order.
    pub(super) payloads: Vec<Payload>,
    pub(super) direction: Direction,
    pub(super) packet_time_ms: Option<u32>,
    pub(super) max_packet_time_ms: Option<u32>,
}

impl RemoteAudio {
    pub(super) fn find(&self, kind: &Kind) -> Option<&Payload> {
        self.payloads.iter().find(|payload| payload.kind == *kind)
    }

    pub(super) fn opus(&self, number: PayloadType) -> OpusParameters {
        let payload = self
            .payloads
            .iter()
            .find(|payload| payload.number == number);
        OpusParameters::parse(payload.map_or("", |payload| &payload.parameters))
    }
}

/// What tells packets of the bundled lines apart (RFC 8843 §9.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RemoteLines {
    pub(crate) mid_extension: Option<u8>,
    pub(crate) audio_mid: Option<String>,
    pub(crate) video_mid: Option<String>,
    pub(crate) video_types: Vec<PayloadType>,
    pub(crate) video_sources: Vec<u32>,
}

/// What a description holds for us.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    pub(super) lines: Vec<Line>,
    /// Whether the audio line is in a bundle.
    pub(super) bundled: bool,
    pub(super) audio: RemoteAudio,
    /// The first video line that goes the audio's way.
    pub(crate) video: Option<RemoteVideo>,
    /// The number of the header extension that names a packet's line (RFC 8843 §15), where all bundled lines have it.
    pub(super) mid_extension: Option<u8>,
    pub(crate) transport: RemoteTransport,
}

impl Remote {
    pub(crate) fn parse(text: &str) -> Result<Self, OfferError> {
        if text.len() > MAX_LEN {
            return Err(OfferError::TooLong {
                found: text.len(),
                limit: MAX_LEN,
            });
        }
        let session = Session::parse(text.as_bytes())
            .map_err(|error| OfferError::Syntax(error.to_string()))?;
        if session.medias.len() > MAX_MEDIA {
            return Err(OfferError::TooManyMedia {
                found: session.medias.len(),
                limit: MAX_MEDIA,
            });
        }
        let bundle = bundle(&session);
        let (index, media) = session
            .medias
            .iter()
            .enumerate()
            .find(|(_, media)| is_open_audio(media))
            .ok_or(OfferError::NoAudio)?;
        if !PROFILES
            .iter()
            .any(|profile| media.proto.eq_ignore_ascii_case(profile))
        {
            return Err(OfferError::Profile(media.proto.chars().take(64).collect()));
        }
        if !has(media, "rtcp-mux") {
            return Err(OfferError::NoRtcpMux);
        }
        let bundled = mid(media).is_some_and(|mid| bundle.contains(&mid));
        let beside = |line: &Media| bundled && mid(line).is_some_and(|mid| bundle.contains(&mid));
        let video = RemoteVideo::find(&session, beside);
        // The transport of a bundle is that of its first line.
        let tagged = bundled.then(|| bundle.first()).flatten().and_then(|first| {
            session
                .medias
                .iter()
                .find(|media| mid(media) == Some(first))
        });
        Ok(Self {
            lines: session
                .medias
                .iter()
                .map(|media| Line {
                    kind: media.media.clone(),
                    proto: media.proto.clone(),
                    formats: media.fmt.clone(),
                    mid: mid(media).map(str::to_owned),
                    open: media.port != 0 || has(media, "bundle-only"),
                })
                .collect(),
            bundled,
            audio: audio(&session, index, media),
            mid_extension: video.as_ref().and_then(|video| {
                let line = session.medias.get(video.index)?;
                mid_extension(media).filter(|number| mid_extension(line) == Some(*number))
            }),
            video,
            transport: RemoteTransport::read(&session, media, tagged)?,
        })
    }
}

/// The mids of the first bundle.
fn bundle(session: &Session) -> Vec<&str> {
    session
        .attributes
        .iter()
        .filter(|attribute| attribute.attribute == "group")
        .filter_map(|attribute| attribute.value.as_deref())
        .find_map(|value| value.trim().strip_prefix("BUNDLE"))
        .map(|mids| mids.split_ascii_whitespace().collect())
        .unwrap_or_default()
}

/// A line with port 0 is rejected, except one that stands only in a bundle (RFC 9143 §6).
pub(super) fn is_open(media: &Media) -> bool {
    media.port != 0 || has(media, "bundle-only")
}

fn is_open_audio(media: &Media) -> bool {
    media.media == "audio" && is_open(media)
}

/// Whether SRTP by DTLS is offered here, with RTCP on the same port.
pub(super) fn is_secured(media: &Media) -> bool {
    let is = |profile: &&str| media.proto.eq_ignore_ascii_case(profile);
    PROFILES.iter().any(is) && has(media, "rtcp-mux")
}

fn mid_extension(media: &Media) -> Option<u8> {
    let extensions = media
        .attributes
        .iter()
        .filter(|attribute| attribute.attribute.eq_ignore_ascii_case("extmap"))
        .filter_map(|attribute| attribute.value.as_deref()?.trim().split_once(' '));
    let mut of_mid = extensions.filter(|(_, uri)| uri.trim() == MID_EXTENSION);
    let (number, _) = of_mid.next()?;
    // One with a direction is not for both; two bytes of header are for numbers that do not fit one (RFC 8285 §4.2).
    number
        .parse()
        .ok()
        .filter(|number| (1..=14).contains(number))
}

fn has(media: &Media, name: &str) -> bool {
    media
        .attributes
        .iter()
        .any(|attribute| attribute.attribute.eq_ignore_ascii_case(name))
}

pub(super) fn value<'a>(media: &'a Media, name: &str) -> Option<&'a str> {
    media
        .attributes
        .iter()
        .find(|attribute| attribute.attribute.eq_ignore_ascii_case(name))
        .and_then(|attribute| attribute.value.as_deref())
        .map(str::trim)
}

fn mid(media: &Media) -> Option<&str> {
    value(media, "mid").filter(|mid| !mid.is_empty())
}

/// Who sends, as the line says it, or else the session.
pub(super) fn direction(session: &Session, media: &Media) -> Direction {
    let said = |attributes: &[sdp_types::Attribute]| {
        attributes
            .iter()
            .find_map(|attribute| Direction::from_name(&attribute.attribute))
    };
    said(&media.attributes)
        .or_else(|| said(&session.attributes))
        .unwrap_or_default()
}

fn audio(session: &Session, index: usize, media: &Media) -> RemoteAudio {
    RemoteAudio {
        index,
        payloads: payloads(media),
        // The address is not looked at: where ICE carries the media, 0.0.0.0 says nothing (facts G9).
        direction: direction(session, media),
        packet_time_ms: milliseconds(value(media, "ptime")),
        max_packet_time_ms: milliseconds(value(media, "maxptime")),
    }
}

/// A packet time, which may have a fraction (RFC 8866 §9).
fn milliseconds(value: Option<&str>) -> Option<u32> {
    value?.split('.').next()?.parse().ok()
}

/// The value of the attribute of this name that is of a payload type.
pub(super) fn mapped<'a>(media: &'a Media, name: &str, number: PayloadType) -> Option<&'a str> {
    media
        .attributes
        .iter()
        .filter(|attribute| attribute.attribute.eq_ignore_ascii_case(name))
        .filter_map(|attribute| attribute.value.as_deref()?.trim().split_once(' '))
        .find(|(text, _)| text.parse() == Ok(number.number()))
        .map(|(_, value)| value.trim())
}

fn payloads(media: &Media) -> Vec<Payload> {
    let mapped = |name: &str, number: PayloadType| mapped(media, name, number);
    let mut payloads: Vec<Payload> = Vec::new();
    // Payload types have 7 bits, so there cannot be more useful ones.
    for word in media.fmt.split_ascii_whitespace().take(128) {
        let Some(number) = word.parse().ok().and_then(PayloadType::new) else {
            continue;
        };
        let kind = match mapped("rtpmap", number) {
            Some(value) => Kind::from_rtpmap(value),
            None => match Encoding::from_static(number) {
                Some(encoding) => Kind::Audio(encoding),
                None => continue,
            },
        };
        if payloads.iter().all(|known| known.number != number) {
            payloads.push(Payload {
                number,
                kind,
                parameters: mapped("fmtp", number).unwrap_or_default().to_owned(),
            });
        }
    }
    payloads
}
