//! The video of a leg, on its way out.

use std::time::Instant;

use skillcall_webrtc::Carrier;

use super::LegMedia;
use super::sending::carry;
use crate::leg::video::{Asking, LegVideo, VideoPacket, VideoPorts};

impl LegMedia {
    /// Ports for a phone's video.
    pub(crate) fn give_video(&mut self, ports: VideoPorts) {
        let cname = self.session.cname().to_owned();
        let video = LegVideo::new(rand::random(), &cname, Some(ports));
        self.video = Some(Box::new(video));
    }

    /// Sends a packet of video: the first `len` bytes of `out`.
    pub(crate) fn send_video(&mut self, out: &mut VideoPacket, len: usize) {
        match (&mut self.device, &mut self.video) {
            (Some(device), _) => {
                let (socket, capture, streams) = (&self.rtp, &self.capture, &mut self.streams);
                device.send_video(out, len, |to, packet| {
                    carry(socket, streams, packet, to);
                    if let (Some(capture), Carrier::Socket(to)) = (capture, to) {
                        capture.sent(to, packet);
                    }
                });
            }
            (None, Some(video)) if self.open => video.put(out, len),
            _ => {}
        }
    }

    pub(super) fn send_video_rtcp(&mut self, out: &mut VideoPacket, len: usize) {
        match (&mut self.device, &mut self.video) {
            (Some(device), _) => {
                let (socket, streams) = (&self.rtp, &mut self.streams);
                device.send_video_rtcp(out, len, |to, packet| carry(socket, streams, packet, to));
            }
            (None, Some(video)) if self.open => video.put_rtcp(out, len),
            _ => {}
        }
    }

    /// Asks the peer for a key frame. True: it has to be asked by INFO.
    pub(crate) fn ask_key_frame(&mut self, now: Instant) -> bool {
        let mut out = [0; 2_048];
        let asking = self.video.as_mut().and_then(|it| it.ask(now, &mut out));
        match asking {
            Some(Asking::Rtcp(len)) => self.send_video_rtcp(&mut out, len),
            Some(Asking::Info) => return true,
            None => {}
        }
        false
    }

    /// Sends the report on video that is due.
    pub(crate) fn tick_video(&mut self, now: Instant) {
        let Some(video) = self.video.as_mut().filter(|video| video.is_agreed()) else {
            return;
        };
        let mut out = [0; 2_048];
        if let Some(len) = video.session.poll_rtcp(now, &mut out) {
            self.send_video_rtcp(&mut out, len);
        }
    }
}
