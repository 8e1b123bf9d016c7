//! The audio codecs, as descriptions name them.

use std::fmt;

/// An audio codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 µ-law (RFC 3551 §4.5.14).
    Pcmu,
    /// G.711 A-law (RFC 3551 §4.5.14).
    Pcma,
    /// G.722 at 64 kbit/s (RFC 3551 §4.5.2): 16000 samples a second under a clock of 8000 Hz.
    G722,
    /// Opus (RFC 7587): always with a clock of 48000 Hz and two channels.
    Opus,
}

impl Codec {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pcmu, Self::Pcma, Self::G722, Self::Opus];

    /// The payload type that we offer: the static one (RFC 3551 table 4), else a dynamic one, which is another where it is taken.
    pub const fn payload(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
            Self::G722 => 9,
            Self::Opus => 96,
        }
    }

    /// The encoding name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::Opus => "opus",
        }
    }

    /// RTP clock in Hz.
    pub const fn clock(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => 8000,
            Self::Opus => 48_000,
        }
    }

    const fn channels(self) -> &'static str {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => "1",
            Self::Opus => "2",
        }
    }

    /// The value of `a=rtpmap` behind the payload type.
    pub(super) fn encoding(self) -> String {
        match self {
            Self::Opus => format!("{}/{}/{}", self.name(), self.clock(), self.channels()),
            _ => format!("{}/{}", self.name(), self.clock()),
        }
    }

    /// The codec that an rtpmap value names (`PCMU/8000` or `PCMU/8000/1`). Some stacks leave Opus' channels out.
    pub(super) fn from_encoding(encoding: &str) -> Option<Self> {
        let mut parts = encoding.trim().split('/');
        let (name, clock) = (parts.next()?, parts.next()?.parse::<u32>().ok()?);
        let channels = parts.next();
        Self::ALL.into_iter().find(|codec| {
            codec.name().eq_ignore_ascii_case(name)
                && codec.clock() == clock
                && channels.is_none_or(|channels| channels == codec.channels())
        })
    }

    /// The codec that a static payload type means without an rtpmap.
    pub(super) fn from_static(payload: u8) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.payload() == payload && payload < 96)
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What one side wants to receive of Opus (RFC 7587 §6.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OpusWish {
    /// `useinbandfec`: packets may carry their predecessor again.
    pub in_band_fec: bool,
    /// `maxaveragebitrate` in bit/s, 6000 to 510000; `None`: as the sender likes.
    pub max_average_bitrate: Option<u32>,
}

impl OpusWish {
    /// What we say of ourselves behind the payload type of `a=fmtp`: error correction costs a sender nothing.
    pub(super) const OURS: &'static str = "useinbandfec=1";

    /// Reads an `a=fmtp` value behind the payload type; what is unknown or absurd counts as unsaid.
    pub(super) fn parse(value: &str) -> Self {
        let mut wish = Self::default();
        for (name, value) in value.split(';').filter_map(|part| part.split_once('=')) {
            let number = value.trim().parse::<u32>().ok();
            match (name.trim().to_ascii_lowercase().as_str(), number) {
                ("useinbandfec", Some(flag)) => wish.in_band_fec = flag == 1,
                ("maxaveragebitrate", Some(rate)) => {
                    wish.max_average_bitrate = Some(rate.clamp(6_000, 510_000));
                }
                _ => {}
            }
        }
        wish
    }
}
