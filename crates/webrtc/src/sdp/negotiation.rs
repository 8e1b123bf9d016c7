//! Offer and answer (RFC 3264): what was agreed on, and how the next description of the session has to look.

mod video;

use skillcall_media::{encoding::Encoding, rtp::PayloadType};
use skillcall_video::{Flow, Terms};

use super::{
    Audio, Capabilities, Direction, Events, LocalTransport, OfferError, Remote, Style, echo,
    formats::{Kind, Payload},
    local::{Description, VideoLine},
    remote::Line,
    video::{RemoteVideo, Video},
};

/// Where payload types of no static meaning are taken from, in this order (RFC 3551 §3, RFC 5761 §4).
const DYNAMIC: [std::ops::RangeInclusive<u8>; 2] = [96..=127, 35..=63];

/// One session's descriptions.
#[derive(Debug)]
pub(crate) struct Negotiation {
    capabilities: Capabilities,
    style: Style,
    session: u64,
    version: u64,
    ssrc: u32,
    cname: String,
    lines: Vec<Line>,
    audio_index: usize,
    bundled: bool,
    /// What payload types have ever meant on the audio line: they keep it (RFC 3264 §8.3.2).
    numbers: Vec<(PayloadType, Kind)>,
    wish: Direction,
    offered: Option<Offered>,
    agreed: Option<Audio>,
    /// What is to be said of video from the next description on; none: it is rejected.
    terms: Option<Terms>,
    video_ssrc: u32,
    video: Option<Video>,
    /// What the peer's last description says of video.
    remote_video: Option<RemoteVideo>,
    mid_extension: Option<u8>,
    /// Which line is the video's, once there was one.
    video_index: Option<usize>,
}

/// An offer of ours that waits for its answer.
#[derive(Debug)]
struct Offered {
    payloads: Vec<Payload>,
    direction: Direction,
    video: Option<VideoLine>,
}

impl Negotiation {
    /// Begins a session whose id is `session`.
    pub(crate) fn new(
        capabilities: Capabilities,
        style: Style,
        wish: Direction,
        session: u64,
        ssrc: u32,
        cname: String,
    ) -> Self {
        Self {
            capabilities,
            style,
            // RFC 3264 §5: the id and the version fit 63 bits.
            session: session >> 1,
            version: match style {
                Style::Standard => 1,
                // The same number twice (facts G9).
                Style::Echo { .. } => session >> 1,
            },
            ssrc,
            cname,
            lines: Vec::new(),
            audio_index: 0,
            bundled: true,
            numbers: Vec::new(),
            wish,
            offered: None,
            agreed: None,
            terms: None,
            video_ssrc: ssrc.wrapping_add(1),
            video: None,
            remote_video: None,
            mid_extension: None,
            video_index: None,
        }
    }

    /// What was agreed on last.
    pub(crate) const fn agreed(&self) -> Option<&Audio> {
        self.agreed.as_ref()
    }

    /// Whether an offer of ours waits for its answer.
    pub(crate) const fn has_offered(&self) -> bool {
        self.offered.is_some()
    }

    pub(crate) const fn wish(&self) -> Direction {
        self.wish
    }

    /// What we want to do from the next description on.
    pub(crate) fn set_wish(&mut self, wish: Direction) {
        self.wish = wish;
    }

    /// What we like most first, from the next description on.
    pub(crate) fn set_encodings(&mut self, encodings: Vec<Encoding>) {
        self.capabilities.encodings = encodings;
    }

    /// What an offer comes to; nothing is changed yet.
    pub(crate) fn judge(&self, offer: &Remote) -> Result<Audio, OfferError> {
        let audio = &offer.audio;
        let found =
            self.capabilities.encodings.iter().find_map(|encoding| {
                Some((*encoding, audio.find(&Kind::Audio(*encoding))?.number))
            });
        let (encoding, number) = found.ok_or_else(|| self.no_codec(&audio.payloads))?;
        Ok(Audio {
            encoding,
            send: number,
            receive: number,
            events: self
                .capabilities
                .events
                .then(|| events(&audio.payloads, encoding))
                .flatten()
                .map(|(number, clock)| Events {
                    send: number,
                    receive: number,
                    clock,
                }),
            packet_time_ms: self.packet_time(audio.packet_time_ms, audio.max_packet_time_ms),
            direction: self.wish.against(audio.direction),
            remote_direction: audio.direction,
            opus: audio.opus(number),
        })
    }

    /// Takes the offer that came to `agreed` and writes the answer. An offer of ours that waits is forgotten.
    pub(crate) fn answer(
        &mut self,
        offer: &Remote,
        agreed: Audio,
        transport: &LocalTransport<'_>,
    ) -> String {
        self.offered = None;
        self.lines.clone_from(&offer.lines);
        self.take_video(offer);
        let terms = self.terms.as_ref();
        self.video =
            (offer.video.as_ref().zip(terms)).and_then(|(line, terms)| line.answered(terms));
        let video_line = offer.video.as_ref().zip(self.video.as_ref());
        let video_line = video_line.map(|(line, video)| VideoLine {
            index: line.index,
            formats: (video.formats.iter())
                .map(|format| (format.send, format.format.clone()))
                .collect(),
            direction: video.direction,
            bandwidth: terms.and_then(|terms| terms.bandwidth),
            ssrc: self.video_ssrc,
        });
        let video_index = video_line.as_ref().map(|video| video.index);
        for (index, line) in self.lines.iter_mut().enumerate() {
            line.open &= index == offer.audio.index || Some(index) == video_index;
        }
        self.audio_index = offer.audio.index;
        self.bundled = offer.bundled;
        self.mid_extension = offer.mid_extension.filter(|_| video_index.is_some());
        for payload in &offer.audio.payloads {
            self.note(payload.number, &payload.kind);
        }
        self.agreed = Some(agreed);
        let mut payloads = vec![payload(agreed.send, Kind::Audio(agreed.encoding))];
        payloads.extend(agreed.events.map(|events| {
            payload(
                events.send,
                Kind::Events {
                    clock: events.clock,
                },
            )
        }));
        self.write(&payloads, agreed.direction, video_line, transport)
    }

    /// Writes an offer of all that we can do.
    pub(crate) fn offer(&mut self, transport: &LocalTransport<'_>) -> String {
        if self.lines.is_empty() {
            self.first_lines();
        }
        let mut clocks = Vec::new();
        let mut payloads = Vec::new();
        for encoding in self.capabilities.encodings.clone() {
            let kind = Kind::Audio(encoding);
            payloads.push(payload(self.number_for(&kind), kind));
            if !clocks.contains(&encoding.clock()) {
                clocks.push(encoding.clock());
            }
        }
        if self.capabilities.events {
            for clock in clocks {
                let kind = Kind::Events { clock };
                payloads.push(payload(self.number_for(&kind), kind));
            }
        }
        let video = self.offered_video();
        let text = self.write(&payloads, self.wish, video.clone(), transport);
        self.offered = Some(Offered {
            payloads,
            direction: self.wish,
            video,
        });
        text
    }

    /// Forgets an offer that waits: the peer has refused it.
    pub(crate) fn withdraw(&mut self) {
        self.offered = None;
    }

    /// Writes the answer that was given last once more, with what is to be said of video now. It has to be the first one, and nobody
    /// may have seen it. None: there is no such answer.
    pub(crate) fn answer_anew(
        &mut self,
        offer: &Remote,
        transport: &LocalTransport<'_>,
    ) -> Option<String> {
        let agreed = self.agreed?;
        self.version = self.version.saturating_sub(1);
        Some(self.answer(offer, agreed, transport))
    }

    /// What the answer to our offer comes to; nothing is changed yet.
    pub(crate) fn judge_answer(&self, answer: &Remote) -> Result<Audio, OfferError> {
        let offered = self.offered.as_ref().ok_or(OfferError::NotOffered)?;
        if answer.lines.len() != self.lines.len() || answer.audio.index != self.audio_index {
            return Err(OfferError::Lines {
                found: answer.lines.len(),
                offered: self.lines.len(),
            });
        }
        let ours = |kind: &Kind| {
            offered
                .payloads
                .iter()
                .find(|payload| payload.kind == *kind)
                .map(|payload| payload.number)
        };
        let audio = &answer.audio;
        let found = audio
            .payloads
            .iter()
            .find_map(|payload| match payload.kind {
                Kind::Audio(encoding) => Some((encoding, payload.number, ours(&payload.kind)?)),
                Kind::Events { .. } | Kind::Video(..) | Kind::Other(_) => None,
            });
        let (encoding, send, receive) = found.ok_or_else(|| self.no_codec(&audio.payloads))?;
        Ok(Audio {
            encoding,
            send,
            receive,
            events: events(&audio.payloads, encoding).and_then(|(send, clock)| {
                Some(Events {
                    send,
                    receive: ours(&Kind::Events { clock })?,
                    clock,
                })
            }),
            packet_time_ms: self.packet_time(audio.packet_time_ms, audio.max_packet_time_ms),
            direction: offered.direction.against(audio.direction),
            remote_direction: audio.direction,
            opus: audio.opus(send),
        })
    }

    /// Takes the answer that came to `agreed`.
    pub(crate) fn take_answer(&mut self, answer: &Remote, agreed: Audio) {
        let offered = self.offered.as_ref().and_then(|it| it.video.as_ref());
        let line = answer.video.as_ref().zip(offered);
        let line = line.filter(|(line, offered)| line.index == offered.index);
        let video = line.and_then(|(line, offered)| {
            line.answering(&offered.formats, Flow::from(offered.direction))
        });
        let index = offered.map(|offered| offered.index);
        let rejected = index.filter(|_| video.is_none());
        for (at, (line, theirs)) in self.lines.iter_mut().zip(&answer.lines).enumerate() {
            line.open &= theirs.open && Some(at) != rejected;
        }
        self.video_index = index.or(self.video_index);
        self.video = video;
        self.remote_video = answer.video.clone().filter(|_| self.video.is_some());
        self.bundled &= answer.bundled;
        for payload in &answer.audio.payloads {
            self.note(payload.number, &payload.kind);
        }
        self.offered = None;
        self.agreed = Some(agreed);
    }

    fn first_lines(&mut self) {
        let (mid, video) = match self.style {
            Style::Standard => ("0", false),
            Style::Echo { video } => ("audio0", video && self.terms.is_none()),
        };
        self.lines.push(Line {
            kind: "audio".to_owned(),
            proto: "UDP/TLS/RTP/SAVPF".to_owned(),
            formats: String::new(),
            mid: Some(mid.to_owned()),
            open: true,
        });
        if video {
            self.lines.push(echo::video_line());
        }
    }

    fn write(
        &mut self,
        payloads: &[Payload],
        direction: Direction,
        video: Option<VideoLine>,
        transport: &LocalTransport<'_>,
    ) -> String {
        let text = Description {
            session: self.session,
            version: self.version,
            lines: &self.lines,
            audio: self.audio_index,
            bundled: self.bundled,
            payloads,
            direction,
            packet_time_ms: self.capabilities.packet_time_ms,
            opus: self.capabilities.opus,
            ssrc: self.ssrc,
            mid_extension: self.mid_extension.filter(|_| video.is_some()),
            video,
            cname: &self.cname,
            transport,
        }
        .write(self.style);
        // RFC 3264 §8: each later description that differs has the next version; ours differ by a candidate at least.
        self.version += 1;
        text
    }

    fn packet_time(&self, wanted: Option<u32>, most: Option<u32>) -> u32 {
        let wanted = wanted.unwrap_or(self.capabilities.packet_time_ms);
        wanted.min(most.unwrap_or(u32::MAX)).clamp(10, 60) / 10 * 10
    }

    fn no_codec(&self, offered: &[Payload]) -> OfferError {
        let names = |kinds: &mut dyn Iterator<Item = String>| kinds.collect::<Vec<_>>().join(", ");
        OfferError::NoCodec {
            offered: names(&mut offered.iter().map(|payload| payload.kind.rtpmap()).take(16)),
            spoken: names(
                &mut self
                    .capabilities
                    .encodings
                    .iter()
                    .map(|encoding| encoding.rtpmap()),
            ),
        }
    }

    fn note(&mut self, number: PayloadType, kind: &Kind) {
        if self.numbers.iter().all(|(known, _)| *known != number) {
            self.numbers.push((number, kind.clone()));
        }
    }

    /// The payload type that `kind` has in this session, or gets now.
    fn number_for(&mut self, kind: &Kind) -> PayloadType {
        if let Some((number, _)) = self.numbers.iter().find(|(_, known)| known == kind) {
            return *number;
        }
        let free = |number: &PayloadType| self.numbers.iter().all(|(known, _)| known != number);
        let fixed = match kind {
            Kind::Audio(encoding) => encoding.static_payload_type(),
            Kind::Events { .. } | Kind::Video(..) | Kind::Other(_) => None,
        };
        let number = fixed
            .into_iter()
            .chain(DYNAMIC.into_iter().flatten().filter_map(PayloadType::new))
            .find(free)
            // There are 61 dynamic numbers and never so many kinds of ours; a peer that has used up all gets one twice.
            .unwrap_or(PayloadType::PCMU);
        self.numbers.push((number, kind.clone()));
        number
    }
}

fn payload(number: PayloadType, kind: Kind) -> Payload {
    Payload {
        number,
        kind,
        parameters: String::new(),
    }
}

/// The telephone events that go with a codec: of its clock (RFC 4733 §2.1), else of any, as many phones have them.
fn events(payloads: &[Payload], encoding: Encoding) -> Option<(PayloadType, u32)> {
    let all = payloads.iter().filter_map(|payload| match payload.kind {
        Kind::Events { clock } => Some((payload.number, clock)),
        Kind::Audio(_) | Kind::Video(..) | Kind::Other(_) => None,
    });
    let mut all: Vec<_> = all.collect();
    all.sort_by_key(|(_, clock)| *clock != encoding.clock());
    all.first().copied()
}
