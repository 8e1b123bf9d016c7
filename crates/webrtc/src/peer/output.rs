//! What a leg gives its owner.

use std::{net::SocketAddr, time::Instant};

/// A datagram to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// The address of ours that it goes from.
    pub local: SocketAddr,
    /// Where it goes.
    pub remote: SocketAddr,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// What [`crate::Peer::poll`] gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this.
    Transmit(Transmit),
    /// This has happened.
    Event(Event),
    /// Nothing more now; come again then, or when a datagram has arrived.
    Wait(Instant),
}

/// What has happened to a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Packets can be sent; also anew after [`Event::Disconnected`].
    Connected,
    /// No packets can be sent. After [`Disconnected::ConsentLost`] and [`Disconnected::NeverConnected`] a restart of ICE may
    /// help.
    Disconnected(Disconnected),
}

/// Why no packets can be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Disconnected {
    /// No way, or no handshake, within the time of [`crate::Config::connect_timeout`].
    #[error("no way was found to the peer in time")]
    NeverConnected,
    /// The peer no longer answers ICE's checks (RFC 7675 §5.1).
    #[error("the peer no longer answers the checks of ICE")]
    ConsentLost,
    /// The peer's certificate is not the one of its description (RFC 8122 §6.2).
    #[error("the peer's certificate is not the one that its description names")]
    WrongCertificate,
    /// The DTLS handshake failed.
    #[error("{0}")]
    Dtls(String),
    /// The peer has ended the association.
    #[error("the peer has ended the DTLS association")]
    Closed,
}

/// Why a datagram was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Dropped {
    /// STUN without the right password, or none at all.
    #[error("a STUN message that is not of the peer")]
    Stun,
    /// DTLS or RTP from an address that has not shown the password.
    #[error("a datagram from an address that ICE does not know")]
    Stranger,
    /// RTP before the handshake is over, or DTLS before the descriptions are there.
    #[error("a packet that came too early")]
    Early,
    /// SRTP that is forged, damaged or received before.
    #[error("a packet that SRTP refuses: {0}")]
    Srtp(#[from] skillcall_media::srtp::SrtpError),
    /// Neither STUN nor DTLS nor RTP (RFC 7983 §7).
    #[error("a datagram of no kind that is spoken here")]
    Unknown,
}
