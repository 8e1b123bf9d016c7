//! The encodings of audio by which descriptions name them: what RTP says of each (RFC 3551, RFC 7587).

use crate::{codec::Codec, rtp::PayloadType};

/// An encoding of audio on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Encoding {
    /// Opus (RFC 6716, RFC 7587).
    Opus,
    /// G.722 at 64 kbit/s (RFC 3551 §4.5.2).
    G722,
    /// G.711 µ-law (RFC 3551 §4.5.14).
    Pcmu,
    /// G.711 A-law (RFC 3551 §4.5.14).
    Pcma,
}

impl Encoding {
    /// All of them, the best sounding first.
    pub const ALL: [Self; 4] = [Self::Opus, Self::G722, Self::Pcmu, Self::Pcma];

    /// The name in `a=rtpmap`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::G722 => "G722",
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }

    /// The clock of RTP's timestamps in Hz. G.722's is 8000 though it has 16000 samples a second (RFC 3551 §4.5.2);
    /// Opus' is 48000 whatever is inside (RFC 7587 §4.1).
    pub const fn clock(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            Self::G722 | Self::Pcmu | Self::Pcma => 8_000,
        }
    }

    /// The channels of `a=rtpmap`, where they are written: Opus has always two (RFC 7587 §7).
    pub const fn channels(self) -> Option<u8> {
        match self {
            Self::Opus => Some(2),
            Self::G722 | Self::Pcmu | Self::Pcma => None,
        }
    }

    /// The value of `a=rtpmap` behind the payload type.
    pub fn rtpmap(self) -> String {
        match self.channels() {
            Some(channels) => format!("{}/{}/{channels}", self.name(), self.clock()),
            None => format!("{}/{}", self.name(), self.clock()),
        }
    }

    /// The encoding of an `a=rtpmap` value, in any case; `None` for all others, also for a known name with another clock.
    pub fn from_rtpmap(value: &str) -> Option<Self> {
        let mut parts = value.trim().split('/');
        let (name, clock) = (parts.next()?, parts.next()?.parse::<u32>().ok()?);
        let channels = parts
            .next()
            .map_or(Some(1), |text| text.parse::<u8>().ok())?;
        Self::ALL.into_iter().find(|encoding| {
            encoding.name().eq_ignore_ascii_case(name)
                && encoding.clock() == clock
                // Some stacks leave Opus' channels out.
                && (encoding.channels().unwrap_or(1) == channels || *encoding == Self::Opus)
        })
    }

    /// The static payload type (RFC 3551 table 4).
    pub const fn static_payload_type(self) -> Option<PayloadType> {
        match self {
            Self::Opus => None,
            Self::G722 => Some(PayloadType::G722),
            Self::Pcmu => Some(PayloadType::PCMU),
            Self::Pcma => Some(PayloadType::PCMA),
        }
    }

    /// The encoding of a static payload type.
    pub fn from_static(payload_type: PayloadType) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|encoding| encoding.static_payload_type() == Some(payload_type))
    }

    /// The G.711 codec that it is.
    pub const fn g711(self) -> Option<Codec> {
        match self {
            Self::Pcmu => Some(Codec::Pcmu),
            Self::Pcma => Some(Codec::Pcma),
            Self::Opus | Self::G722 => None,
        }
    }
}

impl From<Codec> for Encoding {
    fn from(codec: Codec) -> Self {
        match codec {
            Codec::Pcmu => Self::Pcmu,
            Codec::Pcma => Self::Pcma,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_and_read_again() {
        for encoding in Encoding::ALL {
            assert_eq!(Encoding::from_rtpmap(&encoding.rtpmap()), Some(encoding));
            let number = encoding.static_payload_type();
            assert_eq!(
                number.and_then(Encoding::from_static),
                number.map(|_| encoding)
            );
        }
        assert_eq!(Encoding::from_rtpmap("OPUS/48000"), Some(Encoding::Opus));
        for other in [
            "opus/16000/2",
            "PCMU/16000",
            "PCMA/8000/2",
            "PCMU",
            "",
            "x/8000",
            "PCMU/8000/x",
        ] {
            assert_eq!(Encoding::from_rtpmap(other), None, "{other}");
        }
    }
}
