//! What two sides agreed on.

use std::fmt;
use std::net::SocketAddr;

use skillcall_video::Terms;

use super::{Codec, NegotiatedSrtp, NegotiatedVideo, OpusWish};

/// Who sends (RFC 3264 §5.1), seen from the side that says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// Both.
    #[default]
    SendRecv,
    /// The sayer sends only.
    SendOnly,
    /// The sayer receives only.
    RecvOnly,
    /// Nobody sends.
    Inactive,
}

impl Direction {
    pub(super) const fn new(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// Whether the sayer sends.
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the sayer receives.
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The attribute's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// What `self` can do of its wishes against a peer that says `remote` (RFC 3264 §6.1).
    pub const fn against(self, remote: Self) -> Self {
        Self::new(
            self.sends() && remote.receives(),
            self.receives() && remote.sends(),
        )
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Telephone events (RFC 4733 §2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// Payload type that we send.
    pub send_payload: u8,
    /// Payload type that we receive.
    pub receive_payload: u8,
    /// Clock in Hz; durations count in it.
    pub clock: u32,
}

/// What offer and answer came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// Where we send RTP. Its address is unspecified (`0.0.0.0`) under an old-style hold: then `direction` does not send.
    pub remote: SocketAddr,
    /// Where we send RTCP (RFC 3605; else the port above RTP's).
    pub rtcp: SocketAddr,
    /// The codec.
    pub codec: Codec,
    /// Payload type that we send.
    pub send_payload: u8,
    /// Payload type that we receive.
    pub receive_payload: u8,
    /// What the peer wants to receive of Opus, if that is the codec.
    pub opus: OpusWish,
    /// Telephone events, if both sides have them.
    pub telephone_event: Option<TelephoneEvent>,
    /// Packet time to send with, in ms: 10 to 60.
    pub ptime: u32,
    /// What we do now.
    pub direction: Direction,
    /// The peer has put us on hold (`sendonly`, `inactive` or `c=0.0.0.0`).
    pub held: bool,
    /// The keys of SRTP; `None`: media are not encrypted.
    pub srtp: Option<NegotiatedSrtp>,
    /// Video, if both sides have it.
    pub video: Option<NegotiatedVideo>,
    /// What the peer says of its video in H.264: all that it offers, or what it has answered.
    pub video_of_peer: Option<Terms>,
}
