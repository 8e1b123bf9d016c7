//! The video line: H.264 that passes through (RFC 6184 §8.2), on ports of its own.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use sdp_types::{Media, Session};
use skillcall_video::{Flow, Format, Terms, answered, meet};

use super::crypto::{CryptoLine, crypto_of};
use super::negotiated::Direction;
use super::numbers::{Meaning, Numbers};
use super::remote::{self, AVP, MediaLine, SAVP};
use super::{NegotiatedSrtp, Srtp, SrtpPolicy};

/// The payload type under which the first format is offered: none that our audio lines use by themselves.
const FIRST_NUMBER: u8 = 99;
/// The same profiles with feedback (RFC 4585 §7, RFC 5124 §4), which some phones offer for video.
const AVPF: &str = "RTP/AVPF";
const SAVPF: &str = "RTP/SAVPF";

/// Where we receive video, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoPlace {
    /// The port that we receive RTP at; RTCP is one above.
    pub port: u16,
    /// Whether media are to be encrypted, and our keys: others than the audio's (RFC 4568 §5.1.1).
    pub srtp: Srtp,
}

/// One format under its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoFormat {
    /// Payload type that we send.
    pub send_payload: u8,
    /// Payload type that we receive.
    pub receive_payload: u8,
    /// What it is.
    pub format: Format,
}

/// What offer and answer came to for video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NegotiatedVideo {
    /// Where we send RTP.
    pub remote: SocketAddr,
    /// Where we send RTCP.
    pub rtcp: SocketAddr,
    /// The formats, best first.
    pub formats: Vec<VideoFormat>,
    /// What we do now.
    pub direction: Direction,
    /// The peer says that it takes Picture Loss Indications.
    pub picture_loss: bool,
    /// The peer says that it takes Full Intra Requests.
    pub full_intra: bool,
    /// The keys of SRTP; `None`: media are not encrypted.
    pub srtp: Option<NegotiatedSrtp>,
}

/// The peer's video line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RemoteVideo {
    pub(super) index: usize,
    remote: SocketAddr,
    rtcp: SocketAddr,
    formats: Vec<(u8, Format)>,
    direction: Direction,
    bandwidth: Option<u32>,
    picture_loss: bool,
    full_intra: bool,
    proto: String,
    crypto: Vec<CryptoLine>,
}

/// Our side of the video line, as a description has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct VideoLine {
    pub(super) index: usize,
    formats: Vec<(u8, Format)>,
    direction: Direction,
    bandwidth: Option<u32>,
    port: u16,
    feedback: (bool, bool),
    crypto: Vec<CryptoLine>,
}

impl RemoteVideo {
    /// The first open line with H.264 that can be used under this policy.
    pub(super) fn find(session: &Session, srtp: &Srtp) -> Option<Self> {
        let lines = session.medias.iter().enumerate();
        let mut open = lines.filter(|(_, media)| media.media == "video" && media.port != 0);
        open.find_map(|(index, media)| {
            let found = Self::read(session, index, media)?;
            let is = |names: [&str; 2]| names.iter().any(|it| found.proto.eq_ignore_ascii_case(it));
            let encrypted = srtp.choose(&found.crypto).is_some();
            let usable = match srtp.policy {
                SrtpPolicy::Required => encrypted && (is([AVP, AVPF]) || is([SAVP, SAVPF])),
                _ => is([AVP, AVPF]) || (is([SAVP, SAVPF]) && encrypted),
            };
            usable.then_some(found)
        })
    }

    fn read(session: &Session, index: usize, media: &Media) -> Option<Self> {
        let ip = remote::address(session, media).ok()?;
        let (maps, parameters) = (
            remote::by_payload(media, "rtpmap"),
            remote::by_payload(media, "fmtp"),
        );
        let find = |list: &[(u8, &'_ str)], payload: u8| {
            let found = list.iter().find(|(of, _)| *of == payload);
            found.map(|(_, value)| (*value).to_owned())
        };
        let numbers = media.fmt.split_ascii_whitespace().take(128);
        let mut formats: Vec<(u8, Format)> = Vec::new();
        for number in numbers.filter_map(|word| word.parse::<u8>().ok()) {
            let fresh = number < 128 && formats.iter().all(|(known, _)| *known != number);
            if fresh
                && find(&maps, number).is_some_and(|name| Format::is_named(&name))
                && let Some(format) = Format::parse(&find(&parameters, number).unwrap_or_default())
            {
                formats.push((number, format));
            }
        }
        if formats.is_empty() {
            return None;
        }
        // `a=rtcp-fb` is of one payload type, or of all (RFC 4585 §4.2).
        let feedback = |wanted: &str| {
            media
                .attributes
                .iter()
                .filter(|attribute| attribute.attribute.eq_ignore_ascii_case("rtcp-fb"))
                .filter_map(|attribute| attribute.value.as_deref()?.trim().split_once(' '))
                .filter(|(of, _)| {
                    *of == "*" || formats.iter().any(|(number, _)| of.parse() == Ok(*number))
                })
                .any(|(_, what)| what.trim().eq_ignore_ascii_case(wanted))
        };
        let (picture_loss, full_intra) = (feedback("nack pli"), feedback("ccm fir"));
        Some(Self {
            index,
            remote: SocketAddr::new(ip, media.port),
            rtcp: remote::rtcp_of(media, ip),
            direction: remote::direction_of(session, media, ip),
            bandwidth: bandwidth(media),
            picture_loss,
            full_intra,
            proto: media.proto.clone(),
            crypto: crypto_of(media),
            formats,
        })
    }

    /// What the peer says of its video, for who is told of it.
    pub(super) fn terms(&self) -> Terms {
        Terms {
            formats: self.formats.iter().map(|(_, it)| it.clone()).collect(),
            flow: flow(self.direction),
            bandwidth: self.bandwidth,
        }
    }

    /// What this line as an offer comes to; none: it is rejected.
    pub(super) fn answered(
        &self,
        place: &VideoPlace,
        terms: &Terms,
        encrypted: bool,
        numbers: &mut Numbers,
    ) -> Option<(NegotiatedVideo, VideoLine)> {
        let srtp = place
            .srtp
            .choose(&self.crypto)
            .map(|(theirs, ours)| NegotiatedSrtp {
                send: ours.clone(),
                receive: theirs.key.clone(),
                tag: theirs.tag,
            });
        // A picture is no less a secret than the voice.
        if encrypted && srtp.is_none() {
            return None;
        }
        let met = meet(&terms.formats, self.formats.iter().map(|(_, it)| it));
        let formats = met.into_iter().filter_map(|met| {
            let (number, _) = self.formats.get(met.theirs)?;
            Some(VideoFormat {
                send_payload: *number,
                receive_payload: *number,
                format: met.answer,
            })
        });
        let formats: Vec<VideoFormat> = formats.collect();
        if formats.is_empty() {
            return None;
        }
        for known in &formats {
            numbers.note(known.receive_payload, meaning(&known.format));
        }
        let crypto = srtp.iter().map(CryptoLine::of).collect();
        let direction = direction(terms.flow).against(self.direction);
        let line = VideoLine {
            index: self.index,
            formats: (formats.iter())
                .map(|it| (it.send_payload, it.format.clone()))
                .collect(),
            direction,
            bandwidth: terms.bandwidth,
            port: place.port,
            feedback: (self.picture_loss, self.full_intra),
            crypto,
        };
        Some((self.negotiated(formats, direction, srtp), line))
    }

    /// What this line as the answer to an offer of ours comes to; none: it rejects it, or says what was not offered.
    pub(super) fn answering(
        &self,
        offered: &VideoLine,
        encrypted: bool,
    ) -> Option<NegotiatedVideo> {
        let srtp = match self.crypto.first() {
            None => None,
            Some(theirs) => {
                let ours = offered
                    .crypto
                    .iter()
                    .find(|ours| ours.tag == theirs.tag && ours.key.suite() == theirs.key.suite());
                match ours {
                    Some(ours) => Some(NegotiatedSrtp {
                        send: ours.key.clone(),
                        receive: theirs.key.clone(),
                        tag: ours.tag,
                    }),
                    // Keys that nobody offered, on a plain line: passed over.
                    None if offered.crypto.is_empty() => None,
                    None => return None,
                }
            }
        };
        if encrypted && srtp.is_none() {
            return None;
        }
        let met = answered(&offered.formats, &self.formats);
        let formats = met.into_iter().filter_map(|met| {
            let (send, format) = self.formats.get(met.theirs)?;
            let (receive, _) = offered.formats.get(met.ours)?;
            Some(VideoFormat {
                send_payload: *send,
                receive_payload: *receive,
                format: format.clone(),
            })
        });
        let formats: Vec<VideoFormat> = formats.collect();
        let direction = offered.direction.against(self.direction);
        (!formats.is_empty()).then(|| self.negotiated(formats, direction, srtp))
    }

    fn negotiated(
        &self,
        formats: Vec<VideoFormat>,
        direction: Direction,
        srtp: Option<NegotiatedSrtp>,
    ) -> NegotiatedVideo {
        NegotiatedVideo {
            remote: self.remote,
            rtcp: self.rtcp,
            formats,
            direction,
            picture_loss: self.picture_loss,
            full_intra: self.full_intra,
            srtp,
        }
    }
}

impl VideoLine {
    /// An offer of these terms in the line `index`.
    pub(super) fn offered(
        index: usize,
        place: &VideoPlace,
        terms: &Terms,
        crypto: Vec<CryptoLine>,
        numbers: &mut Numbers,
    ) -> Option<Self> {
        let formats = terms.formats.iter().filter_map(|format| {
            let number = numbers.of(meaning(format), FIRST_NUMBER)?;
            Some((number, format.clone()))
        });
        let formats: Vec<_> = formats.collect();
        (!formats.is_empty()).then(|| Self {
            index,
            formats,
            direction: direction(terms.flow),
            bandwidth: terms.bandwidth,
            port: place.port,
            feedback: (true, true),
            crypto,
        })
    }

    /// The formats of the line.
    pub(super) fn numbers(&self) -> String {
        let numbers = self.formats.iter().map(|(number, _)| number.to_string());
        numbers.collect::<Vec<_>>().join(" ")
    }

    pub(super) fn write(&self, text: &mut String, line: &MediaLine) {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "m=video {} {} {}\r\n",
            self.port,
            line.proto,
            self.numbers()
        );
        if let Some(bandwidth) = self.bandwidth {
            let _ = write!(text, "b=AS:{bandwidth}\r\n");
        }
        for (number, format) in &self.formats {
            let _ = write!(text, "a=rtpmap:{number} {}\r\n", Format::ENCODING);
            let parameters = format.parameters();
            if !parameters.is_empty() {
                let _ = write!(text, "a=fmtp:{number} {parameters}\r\n");
            }
            // Phones take feedback under RTP/AVP too, and who does not know it passes it over.
            if self.feedback.0 {
                let _ = write!(text, "a=rtcp-fb:{number} nack pli\r\n");
            }
            if self.feedback.1 {
                let _ = write!(text, "a=rtcp-fb:{number} ccm fir\r\n");
            }
        }
        for line in &self.crypto {
            let _ = write!(text, "a=crypto:{line}\r\n");
        }
        let _ = write!(text, "a={}\r\n", self.direction);
    }
}

/// What a number of the video line means.
fn meaning(format: &Format) -> Meaning {
    Meaning::Video(format.mode(), format.profile())
}

const fn direction(flow: Flow) -> Direction {
    Direction::new(flow.sends, flow.receives)
}

const fn flow(direction: Direction) -> Flow {
    Flow {
        sends: direction.sends(),
        receives: direction.receives(),
    }
}

/// What the line's side wants to receive at most, in kbit/s.
fn bandwidth(media: &Media) -> Option<u32> {
    let of = |kind: &str| {
        let mut lines = media.bandwidths.iter();
        lines
            .find(|line| line.bwtype.eq_ignore_ascii_case(kind))
            .and_then(|line| u32::try_from(line.bandwidth).ok())
    };
    of("AS").or_else(|| of("TIAS").map(|bits| bits / 1_000))
}

/// The address of a line, as errors name it.
pub(super) fn unicast(written: &str) -> Option<IpAddr> {
    let ip = written.split('/').next()?.parse::<IpAddr>().ok()?;
    (!ip.is_multicast()).then_some(ip)
}
