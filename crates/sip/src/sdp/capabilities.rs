//! What we can do.

use std::fmt;
use std::net::IpAddr;

use super::{Direction, Srtp};

/// An audio codec. Both run at 8000 Hz, one channel (RFC 3551 §4.5.14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
}

impl Codec {
    /// The static payload type (RFC 3551 table 4).
    pub const fn payload(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }

    /// The encoding name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }

    /// RTP clock in Hz.
    pub const fn clock(self) -> u32 {
        8000
    }

    /// The codec that an rtpmap value names (`PCMU/8000` or `PCMU/8000/1`).
    pub(super) fn from_encoding(encoding: &str) -> Option<Self> {
        let mut parts = encoding.split('/');
        let (name, clock, channels) = (parts.next()?, parts.next()?, parts.next().unwrap_or("1"));
        [Self::Pcmu, Self::Pcma].into_iter().find(|codec| {
            codec.name().eq_ignore_ascii_case(name) && clock == "8000" && channels == "1"
        })
    }

    /// The codec that a static payload type means without an rtpmap.
    pub(super) fn from_static(payload: u8) -> Option<Self> {
        [Self::Pcmu, Self::Pcma]
            .into_iter()
            .find(|codec| codec.payload() == payload)
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Our side of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// The address we receive RTP at.
    pub address: IpAddr,
    /// The port we receive RTP at; RTCP is one above (RFC 3550 §11).
    pub port: u16,
    /// Our codecs, best first.
    pub codecs: Vec<Codec>,
    /// The payload type under which we offer telephone events (RFC 4733), 96 to 127; `None` offers none.
    pub telephone_event: Option<u8>,
    /// The packet time that we ask for, in ms.
    pub ptime: u32,
    /// What we want to do.
    pub direction: Direction,
    /// Whether media are to be encrypted, and our keys.
    pub srtp: Srtp,
}

impl Capabilities {
    /// PCMU, then PCMA, telephone events as 101, 20 ms, both directions.
    pub fn new(address: IpAddr, port: u16) -> Self {
        Self {
            address,
            port,
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            telephone_event: Some(101),
            ptime: 20,
            direction: Direction::SendRecv,
            srtp: Srtp::default(),
        }
    }
}
