//! The video line: H.264 beside the audio, on its way (RFC 8843, RFC 6184 §8.2).

use sdp_types::{Media, Session};
use skillcall_media::rtp::PayloadType;
use skillcall_video::{Flow, Format, Terms, answered, meet};

use super::{
    Direction,
    remote::{direction, is_open, is_secured, mapped},
};

/// One format under its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoFormat {
    /// The payload type that we send.
    pub send: PayloadType,
    /// The payload type that we receive.
    pub receive: PayloadType,
    /// What it is.
    pub format: Format,
}

/// What offer and answer agreed on for video.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Video {
    /// The formats, best first.
    pub formats: Vec<VideoFormat>,
    /// What we do now.
    pub direction: Direction,
    /// Whether the peer takes Picture Loss Indications.
    pub picture_loss: bool,
    /// Whether the peer takes Full Intra Requests.
    pub full_intra: bool,
}

/// The peer's video line.
#[derive(Clone, Debug)]
pub(crate) struct RemoteVideo {
    /// Which media line it is.
    pub(super) index: usize,
    /// Its formats of H.264, in the peer's order. Retransmission and error correction (RFC 4588, RFC 5109, RFC 2198) are none.
    pub(super) formats: Vec<(PayloadType, Format)>,
    pub(super) direction: Direction,
    pub(super) bandwidth: Option<u32>,
    pub(super) picture_loss: bool,
    pub(super) full_intra: bool,
    pub(super) sources: Vec<u32>,
}

impl RemoteVideo {
    /// The first open line that is secured, and on the audio's way (`beside`).
    pub(super) fn find(session: &Session, beside: impl Fn(&Media) -> bool) -> Option<Self> {
        let (index, media) = session.medias.iter().enumerate().find(|(_, media)| {
            media.media == "video" && is_open(media) && is_secured(media) && beside(media)
        })?;
        let numbers = media.fmt.split_ascii_whitespace().take(128);
        let numbers = numbers.filter_map(|word| word.parse().ok().and_then(PayloadType::new));
        let mut formats: Vec<(PayloadType, Format)> = Vec::new();
        for number in numbers {
            if mapped(media, "rtpmap", number).is_some_and(Format::is_named)
                && formats.iter().all(|(known, _)| *known != number)
                && let Some(format) =
                    Format::parse(mapped(media, "fmtp", number).unwrap_or_default())
            {
                formats.push((number, format));
            }
        }
        // `a=rtcp-fb` is of one payload type, or of all (RFC 4585 §4.2).
        let feedback = |wanted: &str| {
            media
                .attributes
                .iter()
                .filter(|attribute| attribute.attribute.eq_ignore_ascii_case("rtcp-fb"))
                .filter_map(|attribute| attribute.value.as_deref()?.trim().split_once(' '))
                .filter(|(of, _)| {
                    *of == "*"
                        || formats
                            .iter()
                            .any(|(number, _)| of.parse() == Ok(number.number()))
                })
                .any(|(_, what)| what.trim().eq_ignore_ascii_case(wanted))
        };
        let sources = media
            .attributes
            .iter()
            .filter(|attribute| attribute.attribute.eq_ignore_ascii_case("ssrc"))
            .filter_map(|attribute| {
                let value = attribute.value.as_deref()?.trim();
                value.split(' ').next()?.parse().ok()
            });
        let (picture_loss, full_intra) = (feedback("nack pli"), feedback("ccm fir"));
        Some(Self {
            index,
            direction: direction(session, media),
            bandwidth: bandwidth(media),
            picture_loss,
            full_intra,
            sources: sources.take(8).collect(),
            formats,
        })
    }

    /// What the peer says of its video, for who is told of it.
    pub(crate) fn terms(&self) -> Terms {
        Terms {
            formats: self.formats.iter().map(|(_, it)| it.clone()).collect(),
            flow: Flow::from(self.direction),
            bandwidth: self.bandwidth,
        }
    }

    /// What this line as an offer comes to under our terms; none: it is rejected.
    pub(super) fn answered(&self, terms: &Terms) -> Option<Video> {
        let met = meet(&terms.formats, self.formats.iter().map(|(_, it)| it));
        let formats = met.into_iter().filter_map(|met| {
            let (number, _) = self.formats.get(met.theirs)?;
            Some(VideoFormat {
                send: *number,
                receive: *number,
                format: met.answer,
            })
        });
        self.agreed(formats.collect(), terms.flow)
    }

    /// What this line as the answer to an offer of these comes to; none: it rejects it.
    pub(super) fn answering(&self, offered: &[(PayloadType, Format)], flow: Flow) -> Option<Video> {
        let number = |(number, it): &(PayloadType, Format)| (number.number(), it.clone());
        let ours: Vec<_> = offered.iter().map(number).collect();
        let theirs: Vec<_> = self.formats.iter().map(number).collect();
        let met = answered(&ours, &theirs);
        let formats = met.into_iter().filter_map(|met| {
            let (send, format) = self.formats.get(met.theirs)?;
            let (receive, _) = offered.get(met.ours)?;
            Some(VideoFormat {
                send: *send,
                receive: *receive,
                format: format.clone(),
            })
        });
        self.agreed(formats.collect(), flow)
    }

    fn agreed(&self, formats: Vec<VideoFormat>, flow: Flow) -> Option<Video> {
        (!formats.is_empty()).then(|| Video {
            formats,
            direction: Direction::from(flow).against(self.direction),
            picture_loss: self.picture_loss,
            full_intra: self.full_intra,
        })
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
