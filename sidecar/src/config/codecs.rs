//! The codecs of the gateway's phones.

use serde::{Deserialize, Serialize};
use skillcall_media::encoding::Encoding;

/// A codec that the gateway may speak with phones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum PhoneCodec {
    /// G.711 µ-law (RFC 3551 §4.5.14).
    #[serde(rename = "PCMU")]
    Pcmu,
    /// G.711 A-law (RFC 3551 §4.5.14).
    #[serde(rename = "PCMA")]
    Pcma,
    /// G.722 at 64 kbit/s (RFC 3551 §4.5.2).
    #[serde(rename = "G722")]
    G722,
    /// Opus with error correction (RFC 7587).
    #[serde(rename = "opus")]
    Opus,
}

impl From<PhoneCodec> for Encoding {
    fn from(codec: PhoneCodec) -> Self {
        match codec {
            PhoneCodec::Pcmu => Self::Pcmu,
            PhoneCodec::Pcma => Self::Pcma,
            PhoneCodec::G722 => Self::G722,
            PhoneCodec::Opus => Self::Opus,
        }
    }
}
