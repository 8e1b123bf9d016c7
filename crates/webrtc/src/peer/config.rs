//! What a leg is made of.

use std::time::Duration;

use skillcall_media::encoding::Encoding;
use skillcall_video::Terms;

use crate::{
    ice::{IceMode, LocalAddress},
    identity::Identity,
    sdp::{Capabilities, Direction, Negotiation, OpusParameters, Style},
};

/// What a leg is made of.
#[derive(Clone, Debug)]
pub struct Config {
    /// Our certificate.
    pub identity: Identity,
    /// Our addresses; their sockets are bound, and belong to this leg alone. All are in the description: there is no
    /// trickle (facts G9).
    pub addresses: Vec<LocalAddress>,
    /// How we do ICE.
    pub mode: IceMode,
    /// The codecs, the one we like most first: of those that an offer has, the first one here is answered.
    pub codecs: Vec<Encoding>,
    /// Whether telephone events are offered, and answered where they are offered.
    pub events: bool,
    /// What we want to do.
    pub direction: Direction,
    /// The packet time that we ask for in milliseconds, 10 to 60; the default is 20.
    pub packet_time_ms: u32,
    /// How we want to receive Opus.
    pub opus: OpusParameters,
    /// Our synchronisation source, as [`skillcall_media::session::SessionConfig`] has it.
    pub ssrc: u32,
    /// Our canonical name, as [`skillcall_media::session::SessionConfig`] has it. Letters, digits and `-`.
    pub cname: String,
    /// What is said of video; none: it is not offered, and rejected where it is.
    pub video: Option<Terms>,
    /// Our synchronisation source of video: another one than the audio's.
    pub video_ssrc: u32,
    /// In whose manner descriptions are written.
    pub style: Style,
    /// How long after both descriptions are known the leg may take until packets flow; the default is 30 s. Our choice:
    /// facts G11 has no figure.
    pub connect_timeout: Duration,
}

impl Config {
    /// A leg with all codecs, telephone events, full ICE, and a random source and name.
    pub fn new(identity: Identity, addresses: Vec<LocalAddress>) -> Self {
        Self {
            identity,
            addresses,
            mode: IceMode::Full,
            codecs: Encoding::ALL.to_vec(),
            events: true,
            direction: Direction::SendRecv,
            packet_time_ms: 20,
            opus: OpusParameters::default(),
            ssrc: getrandom::u32().unwrap_or(1),
            cname: format!("{:016x}", getrandom::u64().unwrap_or(1)),
            video: None,
            video_ssrc: getrandom::u32().unwrap_or(2),
            style: Style::Standard,
            connect_timeout: Duration::from_secs(30),
        }
    }

    pub(super) fn negotiation(&self) -> Negotiation {
        let capabilities = Capabilities {
            encodings: self.codecs.clone(),
            events: self.events,
            packet_time_ms: self.packet_time_ms.clamp(10, 60),
            opus: self.opus,
        };
        let cname = self.cname.chars();
        let mut negotiation = Negotiation::new(
            capabilities,
            self.style,
            self.direction,
            // An id need only be unlike others of the same maker; who has no randomness fails where it matters.
            getrandom::u64().unwrap_or(1),
            self.ssrc,
            cname
                .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
                .collect(),
        );
        negotiation.set_video(self.video.clone());
        negotiation.set_video_ssrc(match self.video_ssrc {
            taken if taken == self.ssrc => taken.wrapping_add(1),
            free => free,
        });
        negotiation
    }
}
