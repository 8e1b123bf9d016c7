//! An Echo: a device that calls and is called by WebRTC, as facts G9 describes it, with a voice and an ear.
//!
//! [`Echo`] makes legs; an [`EchoLeg`] is one call's media, with sockets of its own. Offers and answers are passed by whoever
//! does the signaling; [`Echos`] does it for the sessions of CallSignaling.

mod ear;
mod endpoint;
mod leg;
mod run;
mod view;
mod watch;

use std::net::{IpAddr, Ipv4Addr};

use skillcall_media::{encoding::Encoding, player::Player};
use skillcall_webrtc::{Identity, Style};

use crate::line::Voice;

pub use endpoint::Echos;
pub use leg::{EchoError, EchoLeg};
pub use view::EchoView;
pub use watch::EchoWatch;

/// How an Echo is.
#[derive(Debug, Clone, PartialEq)]
pub struct EchoHabits {
    /// The address of its sockets.
    pub address: IpAddr,
    /// What it says.
    pub voice: Voice,
    /// Its codecs, the one that it likes most first. An Echo offers Opus, PCMU and PCMA (facts G9).
    pub codecs: Vec<Encoding>,
    /// In whose manner it describes itself.
    pub style: Style,
    /// Whether it offers telephone events; no Echo does (facts G9).
    pub events: bool,
}

impl Default for EchoHabits {
    /// An Echo with a screen, on loopback, that says nothing.
    fn default() -> Self {
        Self {
            address: Ipv4Addr::LOCALHOST.into(),
            voice: Voice::Silence,
            codecs: vec![Encoding::Opus, Encoding::Pcmu, Encoding::Pcma],
            style: Style::Echo { video: true },
            events: false,
        }
    }
}

/// A device. Its legs share its certificate.
#[derive(Debug, Clone)]
pub struct Echo {
    identity: Identity,
    habits: EchoHabits,
    mouth: Option<Player>,
    runtime: tokio::runtime::Handle,
}

impl Echo {
    /// A device whose legs run on the present runtime.
    ///
    /// # Errors
    /// It gets no certificate, or its voice cannot be had.
    pub async fn new(habits: EchoHabits) -> Result<Self, EchoError> {
        Ok(Self {
            identity: Identity::generate()?,
            mouth: crate::line::prepare(&habits.voice).await?,
            habits,
            runtime: tokio::runtime::Handle::current(),
        })
    }

    /// A new call's media. Its socket is bound when it describes itself first.
    pub fn leg(&self) -> EchoLeg {
        EchoLeg::new(self.clone())
    }
}
