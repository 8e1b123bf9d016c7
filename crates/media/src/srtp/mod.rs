//! SRTP and SRTCP (RFC 3711, RFC 6188, RFC 7714): what a leg sends is protected in place, what it receives is checked
//! and opened in place. Nothing is allocated per packet.
//!
//! Keys come from session descriptions (RFC 4568). A session keeps its roll-over counters and replay windows for as long
//! as its keys stay: who makes it anew for every offer and answer loses the peer after the first roll-over.

mod cipher;
mod derivation;
mod receive;
mod replay;
mod send;

#[cfg(test)]
mod tests;

use thiserror::Error;

use cipher::Transform;
pub use receive::Inbound;
pub use send::Outbound;

/// The most bytes that protection adds to a packet: GCM's tag and SRTCP's index.
pub const OVERHEAD: usize = 20;

/// A crypto suite (RFC 4568 §6.2, RFC 6188 §4, RFC 7714 §14.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suite {
    /// `AES_CM_128_HMAC_SHA1_80`.
    AesCm128Sha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`; its SRTCP has tags of 80 bits all the same (RFC 4568 §6.2.2).
    AesCm128Sha1_32,
    /// `AES_256_CM_HMAC_SHA1_80`.
    AesCm256Sha1_80,
    /// `AEAD_AES_128_GCM`.
    AeadAes128Gcm,
    /// `AEAD_AES_256_GCM`.
    AeadAes256Gcm,
}

impl Suite {
    /// Bytes of the master key.
    pub const fn key_len(self) -> usize {
        match self {
            Self::AesCm128Sha1_80 | Self::AesCm128Sha1_32 | Self::AeadAes128Gcm => 16,
            Self::AesCm256Sha1_80 | Self::AeadAes256Gcm => 32,
        }
    }

    /// Bytes of the master salt.
    pub const fn salt_len(self) -> usize {
        if self.is_aead() { 12 } else { 14 }
    }

    const fn is_aead(self) -> bool {
        matches!(self, Self::AeadAes128Gcm | Self::AeadAes256Gcm)
    }

    /// Bytes of the authentication tag of RTP.
    const fn rtp_tag(self) -> usize {
        match self {
            Self::AesCm128Sha1_32 => 4,
            Self::AesCm128Sha1_80 | Self::AesCm256Sha1_80 => 10,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
        }
    }

    /// Bytes of the authentication tag of RTCP.
    const fn rtcp_tag(self) -> usize {
        if self.is_aead() { 16 } else { 10 }
    }
}

/// Why a packet is not protected or not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SrtpError {
    /// Too short for what it would be.
    #[error("too short to be a protected packet")]
    Short,
    /// The buffer has no room for the tag.
    #[error("no room for the authentication tag")]
    Full,
    /// Forged, damaged, or of another key.
    #[error("the authentication tag is wrong")]
    Forged,
    /// Received before, or too old to say.
    #[error("received before, or older than the replay window")]
    Replayed,
    /// An RTCP packet that is not encrypted.
    #[error("the packet is not encrypted")]
    Plain,
    /// A key of the wrong length.
    #[error("the suite takes another key length")]
    Key,
    /// The keys have protected all that they may (RFC 3711 §9.2).
    #[error("the key is used up")]
    UsedUp,
}

/// The beginning of an RTP packet that stays readable: header, contributing sources, extension (RFC 3711 §3.1).
fn rtp_header_len(packet: &[u8]) -> Result<usize, SrtpError> {
    let first = *packet.first().ok_or(SrtpError::Short)?;
    let mut len = 12 + 4 * usize::from(first & 0x0f);
    if first & 0x10 != 0 {
        let words = packet.get(len + 2..len + 4).ok_or(SrtpError::Short)?;
        let words = <[u8; 2]>::try_from(words).map_err(|_| SrtpError::Short)?;
        len += 4 + 4 * usize::from(u16::from_be_bytes(words));
    }
    if packet.len() < len || packet.len() < 12 {
        return Err(SrtpError::Short);
    }
    Ok(len)
}

fn sequence_of(packet: &[u8]) -> Result<u16, SrtpError> {
    let bytes = packet.get(2..4).ok_or(SrtpError::Short)?;
    let bytes = <[u8; 2]>::try_from(bytes).map_err(|_| SrtpError::Short)?;
    Ok(u16::from_be_bytes(bytes))
}

fn word_at(packet: &[u8], at: usize) -> Result<u32, SrtpError> {
    let bytes = packet.get(at..at + 4).ok_or(SrtpError::Short)?;
    let bytes = <[u8; 4]>::try_from(bytes).map_err(|_| SrtpError::Short)?;
    Ok(u32::from_be_bytes(bytes))
}

/// The index of a packet from its sequence number and the highest index so far (RFC 3711 §3.3.1, appendix A).
fn estimate(highest: Option<u64>, sequence: u16) -> u64 {
    let Some(highest) = highest else {
        return u64::from(sequence);
    };
    let (roll_over, last) = (highest >> 16, (highest & 0xffff) as u16);
    let roll_over = if last < 0x8000 {
        if i32::from(sequence) - i32::from(last) > 0x8000 {
            roll_over.saturating_sub(1)
        } else {
            roll_over
        }
    } else if i32::from(last) - 0x8000 > i32::from(sequence) {
        roll_over + 1
    } else {
        roll_over
    };
    roll_over << 16 | u64::from(sequence)
}
