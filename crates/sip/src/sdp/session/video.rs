//! What a session's descriptions say of video.

use skillcall_video::{Flow, Terms};

use super::super::remote::{AVP, MediaLine, Remote, SAVP};
use super::super::video::{NegotiatedVideo, VideoLine, VideoPlace};
use super::MediaSession;

impl MediaSession {
    /// Says where we receive video. It stays as it is for as long as video is agreed on.
    pub fn set_video_place(&mut self, place: VideoPlace) {
        self.place = Some(place);
    }

    /// Says what we want to say of video from the next offer or answer on; none: it is refused.
    pub fn set_video(&mut self, terms: Option<Terms>) {
        self.terms = terms;
    }

    /// What a description of the peer's says of its video in H.264; nothing is changed.
    pub fn video_in(&self, description: &[u8]) -> Option<Terms> {
        let remote = Remote::parse(description, &self.capabilities.srtp).ok()?;
        Some(remote.video?.terms())
    }

    /// What is said of video now: nobody sends while we hold the peer.
    fn video_terms(&self) -> Option<Terms> {
        let mut terms = self.terms.clone()?;
        if !self.capabilities.direction.receives() {
            terms.flow = Flow::NONE;
        }
        Some(terms)
    }

    /// The video line of an offer: the one that there is, else a new one.
    pub(super) fn video_offer(&mut self) -> Option<VideoLine> {
        let (place, terms) = (self.place.clone()?, self.video_terms()?);
        let mut lines = self.lines.iter();
        let index = lines.position(|line| line.kind == "video");
        let crypto = match self.negotiated.as_ref().map(|agreed| &agreed.srtp) {
            // The picture is as much of a secret as the voice.
            Some(None) => Vec::new(),
            _ if place.srtp.is_on() => place.srtp.offered().collect(),
            _ => Vec::new(),
        };
        let at = index.unwrap_or(self.lines.len());
        let line = VideoLine::offered(at, &place, &terms, crypto, &mut self.video_numbers)?;
        if index.is_none() {
            let encrypted = match &self.negotiated {
                Some(agreed) => agreed.srtp.is_some() && self.own_proto() == SAVP,
                None => self.own_proto() == SAVP,
            };
            self.lines.push(MediaLine {
                kind: "video".into(),
                proto: if encrypted { SAVP } else { AVP }.into(),
                formats: line.numbers(),
            });
        }
        Some(line)
    }

    pub(super) fn answered_video(
        &mut self,
        remote: &Remote,
        encrypted: bool,
    ) -> Option<(NegotiatedVideo, VideoLine)> {
        let (place, terms) = (self.place.clone()?, self.video_terms()?);
        let line = remote.video.as_ref()?;
        line.answered(&place, &terms, encrypted, &mut self.video_numbers)
    }

    pub(super) fn video_of_answer(
        &self,
        remote: &Remote,
        encrypted: bool,
    ) -> Option<NegotiatedVideo> {
        let offered = self.offered_video.as_ref()?;
        let line = remote.video.as_ref();
        line.filter(|line| line.index == offered.index)?
            .answering(offered, encrypted)
    }
}
