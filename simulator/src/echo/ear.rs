//! What an Echo says and hears: 20 ms after 20 ms, as G.711 that [`Wire`] carries in the codec that was agreed on.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use skillcall_media::{
    SAMPLE_RATE, SILENT_FRAME,
    player::{Player, Step},
    rtcp::NtpTime,
    rtp::MAX_PACKET,
    session::{AudioSession, Format, Outgoing, SessionConfig},
};
use skillcall_webrtc::{Packet, Route, Wire};

/// Audio that is kept in memory of one call: ten minutes.
const MAX_SAMPLES: usize = 600 * SAMPLE_RATE as usize;

/// Mouth and ear of a leg.
#[derive(Debug)]
pub(super) struct Ear {
    session: AudioSession,
    mouth: Option<Player>,
    /// It holds its tongue, and sends nothing at all.
    pub(super) mute: bool,
    /// It sends silence in place of its voice.
    pub(super) holds_tongue: bool,
    pub(super) audio: Vec<i16>,
}

impl Ear {
    pub(super) fn new(format: Format, ssrc: u32, cname: &str, mouth: Option<Player>) -> Self {
        let mut config = SessionConfig::new(format, rand::random());
        config.ssrc = ssrc;
        cname.clone_into(&mut config.cname);
        config.ntp_at_start = NtpTime::from_unix(
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
        );
        let mut session = AudioSession::new(config, Instant::now());
        session.listen(true);
        Self {
            session,
            mouth,
            mute: false,
            holds_tongue: false,
            audio: Vec::new(),
        }
    }

    pub(super) fn set_format(&mut self, format: Format) {
        self.session.set_format(format);
    }

    pub(super) fn session(&self) -> &AudioSession {
        &self.session
    }

    /// Takes what has come.
    pub(super) fn take(&mut self, now: Instant, packet: Packet<'_>) {
        // What is refused is counted by the session.
        match packet {
            Packet::Rtp(packet) => {
                let _ = self.session.receive_rtp(now, packet);
            }
            Packet::Rtcp(report) => {
                let _ = self.session.receive_rtcp(now, report);
            }
        }
        while self.session.poll_digit().is_some() {}
    }

    /// Hears and says 20 ms.
    pub(super) fn tick(
        &mut self,
        now: Instant,
        wire: &mut Wire,
        mut send: impl FnMut(Route, &[u8]),
    ) {
        let mut frame = SILENT_FRAME;
        self.session.hear(&mut frame);
        if self.audio.len() < MAX_SAMPLES {
            self.audio.extend_from_slice(&frame);
        }
        let sends = wire
            .peer()
            .audio()
            .is_some_and(|audio| audio.direction.sends());
        let mut packet = [0; MAX_PACKET];
        let outgoing = if !sends || self.mute {
            Outgoing::Nothing
        } else {
            let mouth = self.mouth.as_mut().filter(|_| !self.holds_tongue);
            match mouth.map(Player::step) {
                Some(Step::Frame(frame)) => Outgoing::Pcm(frame.pcm()),
                _ => Outgoing::Silence,
            }
        };
        let mut next = self.session.tick(now, outgoing, &mut packet);
        while let Some(len) = next {
            wire.send_rtp(packet.get(..len).unwrap_or_default(), &mut send);
            next = self.session.poll_audio(&mut packet);
        }
        if !self.mute
            && let Some(len) = self.session.poll_rtcp(now, &mut packet)
        {
            wire.send_rtcp(packet.get(..len).unwrap_or_default(), &mut send);
        }
    }
}
