//! Why a session description cannot be used.

use crate::message::StatusCode;

/// Why an offer or answer cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SdpError {
    /// Not a session description.
    #[error("not SDP: {0}")]
    Syntax(String),
    /// More media lines than are looked at.
    #[error("{found} media lines; at most {limit} are read")]
    TooManyMedia {
        /// How many there are.
        found: usize,
        /// How many would be read.
        limit: usize,
    },
    /// No audio line over RTP/AVP with a port.
    #[error("no usable audio: expected a line `m=audio <port> RTP/AVP …`")]
    NoAudio,
    /// No codec in common.
    #[error("no codec in common: offered `{offered}`, expected one of {expected}")]
    NoCodec {
        /// The formats of the peer's audio line.
        offered: String,
        /// The codecs we have.
        expected: String,
    },
    /// The connection address is missing, multicast or no IP address.
    #[error("connection address `{0}`: expected a unicast IP address in `c=`")]
    Address(String),
    /// An answer with other media lines than its offer (RFC 3264 §6).
    #[error("an answer of {found} media lines to an offer of {expected}")]
    MediaCount {
        /// Lines in the answer.
        found: usize,
        /// Lines in the offer.
        expected: usize,
    },
    /// Encryption is required, and the peer has no key that we can use.
    #[error(
        "media must be encrypted: expected `m=audio <port> RTP/SAVP …` with an `a=crypto` line of {expected}"
    )]
    SrtpRequired {
        /// The suites that we have.
        expected: String,
    },
    /// An answer that changes what was offered of encryption: another profile, an unknown tag, another suite.
    #[error(
        "answer to `{offered}` with encryption that was not offered: expected the same profile and a tag of the offer"
    )]
    SrtpMismatch {
        /// The profile that was offered.
        offered: String,
    },
    /// An answer without an offer of ours.
    #[error("an answer, but no offer is open")]
    NoOffer,
}

impl SdpError {
    /// The status that refuses such an offer: 400 for what cannot be read, else 488 (RFC 3261 §21.4.26).
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Syntax(_) | Self::TooManyMedia { .. } => StatusCode::BAD_REQUEST,
            _ => StatusCode::NOT_ACCEPTABLE_HERE,
        }
    }

    /// The code for a Warning header (RFC 3261 §20.43).
    pub const fn warning(&self) -> u16 {
        match self {
            Self::Address(_) => 301,
            Self::NoAudio => 304,
            Self::NoCodec { .. } => 305,
            _ => 399,
        }
    }
}
