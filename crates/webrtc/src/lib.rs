//! A WebRTC peer for one call, audio and video that passes through, without I/O: session descriptions (RFC 8829), ICE (RFC 8445), DTLS-SRTP (RFC 5763).
//!
//! [`Peer`] is the whole of one leg. Its owner has bound the sockets, passes each datagram to [`Peer::receive`] with the two
//! addresses and the time, and calls [`Peer::poll`] until it says when to come again. RTP and RTCP are handed out opened, in
//! place; [`Peer::send_rtp`] protects a packet in place and says which way it goes. What is inside is `skillcall-media`'s.
//!
//! ```
//! use std::time::Instant;
//! use skillcall_webrtc::{Config, Identity, LocalAddress, Peer};
//!
//! let identity = Identity::generate()?;
//! let config = |address: &str| -> Result<Config, Box<dyn std::error::Error>> {
//!     Ok(Config::new(identity.clone(), vec![LocalAddress::Host(address.parse()?)]))
//! };
//! let now = Instant::now();
//! let (mut caller, offer) = Peer::offer(config("192.0.2.1:4000")?, now);
//! let (_callee, answer) = Peer::answer(config("192.0.2.2:4000")?, &offer, now)?;
//! caller.take_answer(&answer, now)?;
//! assert!(caller.audio().is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

pub mod dtls;
mod fingerprint;
#[doc(hidden)]
pub mod fuzz;
mod gather;
mod ice;
mod identity;
mod peer;
mod sdp;
mod wire;

pub use fingerprint::Fingerprint;
pub use gather::{
    Carrier, Frames, FromServer, Gatherer, NotTurn, Problem, ServerKind, Servers, TurnServer,
    TurnTransport, Why,
};
pub use ice::{IceMode, LocalAddress, Route};
pub use identity::{Identity, IdentityError};
pub use peer::{
    Config, Disconnected, Dropped, Event, Figures, NotReady, Output, Peer, Received, Renegotiated,
    Transmit,
};
pub use sdp::{Audio, Direction, Events, OfferError, OpusParameters, Style, Video, VideoFormat};
pub use wire::{Packet, Wire};
