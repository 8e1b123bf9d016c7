//! Reading the peer's session description.

use std::net::{IpAddr, SocketAddr};

use sdp_types::{Media, Session};

use super::crypto::{CryptoLine, crypto_of};
use super::video::{RemoteVideo, unicast};
use super::{Codec, Direction, OpusWish, SdpError, Srtp, SrtpPolicy};

/// The profile of plain RTP.
pub(super) const AVP: &str = "RTP/AVP";
/// The profile of SRTP (RFC 3711).
pub(super) const SAVP: &str = "RTP/SAVP";
/// The most media lines that are looked at.
const MAX_MEDIA: usize = 16;

/// A media line as it has to be repeated in an answer or a later offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MediaLine {
    pub(super) kind: String,
    pub(super) proto: String,
    pub(super) formats: String,
}

/// One payload type of the audio line that we understand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Audio {
        payload: u8,
        codec: Codec,
        opus: OpusWish,
    },
    Event {
        payload: u8,
        clock: u32,
    },
}

/// The peer's audio line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RemoteAudio {
    /// Which media line it is.
    pub(super) index: usize,
    pub(super) remote: SocketAddr,
    pub(super) rtcp: SocketAddr,
    /// In the peer's order of preference.
    pub(super) formats: Vec<Format>,
    pub(super) ptime: Option<u32>,
    pub(super) max_ptime: Option<u32>,
    /// The peer's direction, as it says it.
    pub(super) direction: Direction,
    /// `RTP/AVP` or `RTP/SAVP`.
    pub(super) proto: String,
    /// The keys that can be used.
    pub(super) crypto: Vec<CryptoLine>,
}

/// What a description holds for us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remote {
    pub(super) lines: Vec<MediaLine>,
    pub(super) audio: RemoteAudio,
    pub(super) video: Option<RemoteVideo>,
}

impl Remote {
    pub(super) fn parse(description: &[u8], srtp: &Srtp) -> Result<Self, SdpError> {
        let session =
            Session::parse(description).map_err(|error| SdpError::Syntax(error.to_string()))?;
        if session.medias.len() > MAX_MEDIA {
            return Err(SdpError::TooManyMedia {
                found: session.medias.len(),
                limit: MAX_MEDIA,
            });
        }
        let lines = session.medias.iter().map(|media| MediaLine {
            kind: media.media.clone(),
            proto: media.proto.clone(),
            formats: media.fmt.clone(),
        });
        let (index, media) = pick(&session, srtp)?;
        Ok(Self {
            lines: lines.collect(),
            audio: audio(&session, index, media)?,
            video: RemoteVideo::find(&session, srtp),
        })
    }
}

/// The audio line that we use: the first that can be encrypted where we want that, else the first plain one where we
/// may.
fn pick<'a>(session: &'a Session, srtp: &Srtp) -> Result<(usize, &'a Media), SdpError> {
    let open = |media: &Media| media.media == "audio" && media.port != 0;
    let is = |media: &Media, proto: &str| media.proto.eq_ignore_ascii_case(proto);
    let lines = || {
        session
            .medias
            .iter()
            .enumerate()
            .filter(move |(_, media)| open(media))
    };
    let encrypted = lines().find(|(_, media)| {
        (is(media, SAVP) || is(media, AVP)) && srtp.choose(&crypto_of(media)).is_some()
    });
    let plain = || lines().find(|(_, media)| is(media, AVP));
    match (encrypted, srtp.policy) {
        (Some(found), _) => Ok(found),
        (None, SrtpPolicy::Required) if lines().next().is_some() => Err(SdpError::SrtpRequired {
            expected: srtp
                .keys
                .iter()
                .map(|key| key.suite().name())
                .collect::<Vec<_>>()
                .join(", "),
        }),
        (None, SrtpPolicy::Required) => Err(SdpError::NoAudio),
        (None, _) => plain().ok_or(SdpError::NoAudio),
    }
}

/// The connection address of a line.
pub(super) fn address(session: &Session, media: &Media) -> Result<IpAddr, SdpError> {
    let connection = media.connections.first().or(session.connection.as_ref());
    let written = connection.map_or("", |connection| connection.connection_address.as_str());
    unicast(written).ok_or_else(|| SdpError::Address(written.to_owned()))
}

/// Where a line's side receives RTCP.
pub(super) fn rtcp_of(media: &Media, ip: IpAddr) -> SocketAddr {
    value(media, "rtcp")
        .and_then(|value| rtcp(value, ip))
        .unwrap_or_else(|| SocketAddr::new(ip, media.port.saturating_add(1)))
}

/// Who sends, as the line says it, or else the session.
pub(super) fn direction_of(session: &Session, media: &Media, ip: IpAddr) -> Direction {
    let said = |attributes: &[sdp_types::Attribute]| {
        attributes
            .iter()
            .find_map(|attribute| direction(&attribute.attribute))
    };
    let said = said(&media.attributes)
        .or_else(|| said(&session.attributes))
        .unwrap_or_default();
    // Hold as RFC 2543 did it: nobody can send to the unspecified address (RFC 3264 §8.4).
    if ip.is_unspecified() {
        Direction::new(said.sends(), false)
    } else {
        said
    }
}

fn value<'a>(media: &'a Media, name: &str) -> Option<&'a str> {
    let found = media
        .attributes
        .iter()
        .find(|attribute| attribute.attribute.eq_ignore_ascii_case(name));
    found.and_then(|attribute| attribute.value.as_deref())
}

fn audio(session: &Session, index: usize, media: &Media) -> Result<RemoteAudio, SdpError> {
    let ip = address(session, media)?;
    let remote = SocketAddr::new(ip, media.port);
    Ok(RemoteAudio {
        index,
        remote,
        rtcp: rtcp_of(media, ip),
        formats: formats(media),
        ptime: milliseconds(value(media, "ptime")),
        max_ptime: milliseconds(value(media, "maxptime")),
        direction: direction_of(session, media, ip),
        proto: media.proto.clone(),
        crypto: crypto_of(media),
    })
}

fn direction(attribute: &str) -> Option<Direction> {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    [SendRecv, SendOnly, RecvOnly, Inactive]
        .into_iter()
        .find(|direction| direction.as_str() == attribute)
}

/// A packet time, which may have a fraction (RFC 8866 §6.4, §9: `non-zero-int-or-real`).
fn milliseconds(value: Option<&str>) -> Option<u32> {
    let whole = value?.trim().split('.').next()?;
    whole.parse().ok()
}

/// `a=rtcp:port [IN IP4 address]` (RFC 3605 §2.1).
fn rtcp(value: &str, ip: IpAddr) -> Option<SocketAddr> {
    let mut words = value.split_ascii_whitespace();
    let port = words.next()?.parse().ok().filter(|port| *port != 0)?;
    let address = words
        .nth(2)
        .and_then(|text| text.parse::<IpAddr>().ok())
        .filter(|ip| !ip.is_multicast());
    Some(SocketAddr::new(address.unwrap_or(ip), port))
}

/// The attributes of this name that begin with a payload type, and what is behind it.
pub(super) fn by_payload<'a>(media: &'a Media, name: &str) -> Vec<(u8, &'a str)> {
    let named = media
        .attributes
        .iter()
        .filter(|attribute| attribute.attribute.eq_ignore_ascii_case(name));
    let split = named.filter_map(|attribute| {
        let (payload, value) = attribute.value.as_deref()?.trim().split_once(' ')?;
        Some((payload.parse().ok()?, value.trim()))
    });
    split.collect()
}

fn formats(media: &Media) -> Vec<Format> {
    let (maps, parameters) = (by_payload(media, "rtpmap"), by_payload(media, "fmtp"));
    let find = |list: &[(u8, &'_ str)], payload: u8| {
        let found = list.iter().find(|(of, _)| *of == payload);
        found.map(|(_, value)| (*value).to_owned())
    };
    let mut formats = Vec::new();
    // Payload types are 7 bits, so there cannot be more useful ones.
    for payload in media
        .fmt
        .split_ascii_whitespace()
        .take(128)
        .filter_map(|word| word.parse::<u8>().ok())
    {
        let encoding = find(&maps, payload);
        let codec = match &encoding {
            Some(encoding) => Codec::from_encoding(encoding),
            None => Codec::from_static(payload),
        };
        if let Some(codec) = codec {
            let opus = find(&parameters, payload).map(|value| OpusWish::parse(&value));
            formats.push(Format::Audio {
                payload,
                codec,
                opus: opus.unwrap_or_default(),
            });
        } else if let Some((name, clock)) = encoding.as_deref().and_then(|it| it.split_once('/'))
            && name.eq_ignore_ascii_case("telephone-event")
            && let Ok(clock) = clock.split('/').next().unwrap_or(clock).parse()
        {
            formats.push(Format::Event { payload, clock });
        }
    }
    formats
}
