//! What a session's descriptions say of video.

use skillcall_media::rtp::PayloadType;
use skillcall_video::{Flow, Format, Terms};

use super::super::{
    Direction, Remote, Style,
    formats::Kind,
    local::VideoLine,
    remote::{Line, RemoteLines},
    video::Video,
};
use super::Negotiation;

impl Negotiation {
    /// What is said of video from the next description on, and our source of it.
    pub(crate) fn set_video(&mut self, terms: Option<Terms>) {
        self.terms = terms;
    }

    pub(crate) const fn set_video_ssrc(&mut self, ssrc: u32) {
        self.video_ssrc = ssrc;
    }

    pub(crate) const fn video_ssrc(&self) -> u32 {
        self.video_ssrc
    }

    /// What was agreed on last for video; none: it is rejected.
    pub(crate) const fn video(&self) -> Option<&Video> {
        self.video.as_ref()
    }

    /// What the peer's last description says of video in H.264.
    pub(crate) fn video_of_peer(&self) -> Option<Terms> {
        let video = self.remote_video.as_ref()?;
        (!video.formats.is_empty()).then(|| video.terms())
    }

    /// What tells packets of the lines apart.
    pub(crate) fn lines_of_peer(&self) -> RemoteLines {
        let mid = |index: usize| self.lines.get(index).and_then(|line| line.mid.clone());
        let video = self.video.as_ref();
        RemoteLines {
            mid_extension: self.mid_extension,
            audio_mid: mid(self.audio_index),
            video_mid: self.video_index.filter(|_| video.is_some()).and_then(mid),
            video_types: video
                .iter()
                .flat_map(|video| video.formats.iter().map(|format| format.receive))
                .collect(),
            video_sources: (self.remote_video.iter())
                .flat_map(|video| video.sources.iter().copied())
                .collect(),
        }
    }

    /// The video of an offer: in the line that there is, else in a new one. A line that was agreed on stays, and stands still where
    /// nothing is to be said any more; one that was rejected is used again (RFC 3264 §8.1).
    pub(super) fn offered_video(&mut self) -> Option<VideoLine> {
        let (terms, still) = match (&self.terms, &self.video) {
            (Some(terms), _) => (terms.clone(), false),
            (None, Some(video)) => {
                let formats = video.formats.iter().map(|it| it.format.clone()).collect();
                let flow = Flow::NONE;
                let bandwidth = None;
                (
                    Terms {
                        formats,
                        flow,
                        bandwidth,
                    },
                    true,
                )
            }
            (None, None) => return None,
        };
        let index = match self.video_index {
            Some(index) => index,
            None => {
                let mid = match self.style {
                    Style::Echo { .. } => "video0".to_owned(),
                    // One that no line has.
                    Style::Standard => (self.lines.len()..)
                        .map(|number| number.to_string())
                        .find(|mid| self.lines.iter().all(|line| line.mid.as_ref() != Some(mid)))?,
                };
                self.lines.push(Line {
                    kind: "video".to_owned(),
                    proto: "UDP/TLS/RTP/SAVPF".to_owned(),
                    formats: String::new(),
                    mid: Some(mid),
                    open: true,
                });
                self.lines.len() - 1
            }
        };
        self.video_index = Some(index);
        let numbered: Vec<(PayloadType, Format)> = terms
            .formats
            .into_iter()
            .map(|format| (self.video_number(&format), format))
            .collect();
        let numbers: Vec<_> = numbered
            .iter()
            .map(|(it, _)| it.number().to_string())
            .collect();
        let line = self.lines.get_mut(index)?;
        line.open = true;
        line.formats = numbers.join(" ");
        Some(VideoLine {
            index,
            formats: numbered,
            direction: match still {
                true => Direction::Inactive,
                false => terms.flow.into(),
            },
            bandwidth: terms.bandwidth,
            ssrc: self.video_ssrc,
        })
    }

    /// The number under which a format is offered: the one that it had, else a free one. What the audio line uses is not free: both are
    /// bundled (RFC 8843 §9.1).
    fn video_number(&mut self, format: &Format) -> PayloadType {
        let known = self.video.iter().flat_map(|video| &video.formats);
        let mut known = known.filter(|known| known.format.is_same(format));
        match known.next() {
            Some(known) => known.receive,
            None => self.number_for(&Kind::Video(format.mode(), format.profile())),
        }
    }

    /// Notes what an offer of the peer's says of video.
    pub(super) fn take_video(&mut self, offer: &Remote) {
        self.remote_video.clone_from(&offer.video);
        let line = offer.video.as_ref().map(|video| video.index);
        let mut lines = offer.lines.iter();
        self.video_index = line.or_else(|| lines.position(|line| line.kind == "video"));
        for (number, format) in offer.video.iter().flat_map(|video| &video.formats) {
            self.note(*number, &Kind::Video(format.mode(), format.profile()));
        }
    }
}
