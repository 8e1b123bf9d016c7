//! Writing our descriptions.

use std::{
    fmt::Write as _,
    net::{Ipv4Addr, SocketAddr},
};

use skillcall_media::rtp::PayloadType;
use skillcall_video::Format;

use super::{
    Direction, Setup, echo,
    formats::{Kind, OpusParameters, Payload},
    remote::{Line, MID_EXTENSION},
};
use crate::{fingerprint::Fingerprint, ice::LocalCandidate};

/// In whose manner descriptions are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Style {
    /// As RFC 8829 has it.
    #[default]
    Standard,
    /// As an Alexa device writes them (facts G9): unspecified addresses, candidates of RTCP and of TCP, which nobody can
    /// use, and a video line if `video`.
    Echo {
        /// Whether H.264 is offered, also where [`crate::Config::video`] has none: what the peer answers to it is not used then.
        video: bool,
    },
}

/// Our end of the way.
#[derive(Clone, Debug)]
pub(crate) struct LocalTransport<'a> {
    pub(crate) ufrag: &'a str,
    pub(crate) password: &'a str,
    pub(crate) lite: bool,
    pub(crate) candidates: Vec<LocalCandidate>,
    pub(crate) fingerprint: &'a Fingerprint,
    pub(crate) setup: Setup,
}

impl LocalTransport<'_> {
    /// The address of the candidate that a peer without ICE would use (RFC 8839 §4.2.1.2).
    pub(super) fn default_address(&self) -> SocketAddr {
        let best = self.candidates.iter().max_by_key(|candidate| {
            // What is reached from farthest is the likeliest to work.
            std::cmp::Reverse(candidate.priority)
        });
        best.map_or((Ipv4Addr::UNSPECIFIED, 9).into(), |candidate| {
            candidate.address
        })
    }
}

/// What a description says of video.
#[derive(Clone, Debug)]
pub(super) struct VideoLine {
    /// Which of the lines it is.
    pub(super) index: usize,
    pub(super) formats: Vec<(PayloadType, Format)>,
    pub(super) direction: Direction,
    pub(super) bandwidth: Option<u32>,
    pub(super) ssrc: u32,
}

impl VideoLine {
    pub(super) fn numbers(&self) -> String {
        let numbers = self.formats.iter();
        let numbers = numbers.map(|(number, _)| number.number().to_string());
        numbers.collect::<Vec<_>>().join(" ")
    }

    /// `a=rtpmap`, `a=fmtp` and `a=rtcp-fb`. What was lost is not sent again, so NACK is not spoken of.
    pub(super) fn formats(&self, text: &mut String) {
        for (number, format) in &self.formats {
            let (number, parameters) = (number.number(), format.parameters());
            put(text, format_args!("a=rtpmap:{number} {}", Format::ENCODING));
            if !parameters.is_empty() {
                put(text, format_args!("a=fmtp:{number} {parameters}"));
            }
            put(text, format_args!("a=rtcp-fb:{number} nack pli"));
            put(text, format_args!("a=rtcp-fb:{number} ccm fir"));
        }
    }
}

/// What a description says.
#[derive(Debug)]
pub(super) struct Description<'a> {
    pub(super) session: u64,
    pub(super) version: u64,
    pub(super) lines: &'a [Line],
    /// Which of the lines is the audio line.
    pub(super) audio: usize,
    pub(super) bundled: bool,
    pub(super) payloads: &'a [Payload],
    pub(super) direction: Direction,
    pub(super) packet_time_ms: u32,
    pub(super) opus: OpusParameters,
    pub(super) ssrc: u32,
    pub(super) video: Option<VideoLine>,
    /// The number of the header extension that names a packet's line.
    pub(super) mid_extension: Option<u8>,
    pub(super) cname: &'a str,
    pub(super) transport: &'a LocalTransport<'a>,
}

impl Description<'_> {
    pub(super) fn write(&self, style: Style) -> String {
        match style {
            Style::Standard => self.standard(),
            Style::Echo { .. } => echo::write(self),
        }
    }

    fn standard(&self) -> String {
        let mut text = format!(
            "v=0\r\no=- {} {} IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n",
            self.session, self.version
        );
        let bundle = self.bundle();
        if self.bundled && !bundle.is_empty() {
            put(&mut text, format_args!("a=group:BUNDLE {bundle}"));
        }
        if self.transport.lite {
            put(&mut text, format_args!("a=ice-lite"));
        }
        for (index, line) in self.lines.iter().enumerate() {
            if index == self.audio {
                self.audio_line(&mut text, line);
            } else if let Some(video) = self.video.as_ref().filter(|it| it.index == index) {
                self.video_line(&mut text, line, video);
            } else {
                rejected(&mut text, line);
            }
        }
        text
    }

    /// The names of the lines that are used, as they stand.
    pub(super) fn bundle(&self) -> String {
        let video = self.video.as_ref().map(|video| video.index);
        let lines = self.lines.iter().enumerate();
        let used = lines.filter(|(index, _)| *index == self.audio || Some(*index) == video);
        let mids: Vec<_> = used.filter_map(|(_, line)| line.mid.as_deref()).collect();
        mids.join(" ")
    }

    /// The transport is the audio's; its candidates are said there.
    fn video_line(&self, text: &mut String, line: &Line, video: &VideoLine) {
        let way = self.transport;
        let default = way.default_address();
        let family = if default.is_ipv4() { "IP4" } else { "IP6" };
        put(
            text,
            format_args!(
                "m=video {} {} {}",
                default.port(),
                line.proto,
                video.numbers()
            ),
        );
        put(text, format_args!("c=IN {family} {}", default.ip()));
        if let Some(bandwidth) = video.bandwidth {
            put(text, format_args!("b=AS:{bandwidth}"));
        }
        put(
            text,
            format_args!("a=rtcp:{} IN {family} {}", default.port(), default.ip()),
        );
        if let Some(mid) = &line.mid {
            put(text, format_args!("a=mid:{mid}"));
        }
        self.mid_line(text);
        put(text, format_args!("a={}", video.direction));
        video.formats(text);
        put(text, format_args!("a=rtcp-mux"));
        put(text, format_args!("a=setup:{}", way.setup.name()));
        put(text, format_args!("a=fingerprint:{}", way.fingerprint));
        put(text, format_args!("a=ice-ufrag:{}", way.ufrag));
        put(text, format_args!("a=ice-pwd:{}", way.password));
        put(
            text,
            format_args!("a=ssrc:{} cname:{}", video.ssrc, self.cname),
        );
    }

    fn mid_line(&self, text: &mut String) {
        if let Some(number) = self.mid_extension {
            put(text, format_args!("a=extmap:{number} {MID_EXTENSION}"));
        }
    }

    fn audio_line(&self, text: &mut String, line: &Line) {
        let way = self.transport;
        let default = way.default_address();
        let family = if default.is_ipv4() { "IP4" } else { "IP6" };
        put(
            text,
            format_args!(
                "m=audio {} {} {}",
                default.port(),
                line.proto,
                self.numbers()
            ),
        );
        put(text, format_args!("c=IN {family} {}", default.ip()));
        put(
            text,
            format_args!("a=rtcp:{} IN {family} {}", default.port(), default.ip()),
        );
        if let Some(mid) = &line.mid {
            put(text, format_args!("a=mid:{mid}"));
        }
        self.mid_line(text);
        put(text, format_args!("a={}", self.direction));
        self.formats(text);
        put(text, format_args!("a=ptime:{}", self.packet_time_ms));
        put(text, format_args!("a=rtcp-mux"));
        put(text, format_args!("a=setup:{}", way.setup.name()));
        put(text, format_args!("a=fingerprint:{}", way.fingerprint));
        put(text, format_args!("a=ice-ufrag:{}", way.ufrag));
        put(text, format_args!("a=ice-pwd:{}", way.password));
        for candidate in &way.candidates {
            put(text, format_args!("a=candidate:{candidate}"));
        }
        put(text, format_args!("a=end-of-candidates"));
        put(
            text,
            format_args!("a=ssrc:{} cname:{}", self.ssrc, self.cname),
        );
    }

    pub(super) fn numbers(&self) -> String {
        let numbers = self.payloads.iter();
        numbers
            .map(|payload| payload.number.number().to_string())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// `a=rtpmap` and `a=fmtp`.
    fn formats(&self, text: &mut String) {
        for payload in self.payloads {
            let number = payload.number.number();
            put(
                text,
                format_args!("a=rtpmap:{number} {}", payload.kind.rtpmap()),
            );
            match payload.kind {
                Kind::Audio(skillcall_media::encoding::Encoding::Opus) => {
                    put(text, format_args!("a=fmtp:{number} {}", self.opus.write()));
                }
                Kind::Events { .. } => put(text, format_args!("a=fmtp:{number} 0-15")),
                Kind::Audio(_) | Kind::Video(..) | Kind::Other(_) => {}
            }
        }
    }
}

/// A line that is not used stays where it was, with port 0 and outside the bundle (RFC 3264 §6, RFC 9143 §7.3.3).
pub(super) fn rejected(text: &mut String, line: &Line) {
    put(
        text,
        format_args!("m={} 0 {} {}", line.kind, line.proto, line.formats),
    );
    put(text, format_args!("c=IN IP4 0.0.0.0"));
    put(text, format_args!("a=inactive"));
    if let Some(mid) = &line.mid {
        put(text, format_args!("a=mid:{mid}"));
    }
}

pub(super) fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    let _ = text.write_fmt(line);
    text.push_str("\r\n");
}
