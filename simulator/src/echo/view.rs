//! What can be seen of a leg.

use std::net::SocketAddr;

use skillcall_media::encoding::Encoding;
use skillcall_webrtc::Direction;

/// What can be seen of a leg.
#[derive(Debug, Clone, PartialEq)]
pub struct EchoView {
    /// Packets can be sent and come.
    pub connected: bool,
    /// Why not any more.
    pub disconnected: Option<String>,
    /// The codec, once agreed on.
    pub encoding: Option<Encoding>,
    /// What it does now.
    pub direction: Option<Direction>,
    /// The other side has put it on hold.
    pub held: bool,
    /// The way that packets take: its own address, and the peer's.
    pub route: Option<(SocketAddr, SocketAddr)>,
    /// RTP packets sent.
    pub sent: u64,
    /// RTP packets received.
    pub received: u64,
    /// Lost on the way to it.
    pub lost: u64,
    /// Samples heard so far, at 8 kHz.
    pub heard: usize,
}
