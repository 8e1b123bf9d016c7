//! Offer and answer for audio, and video that passes through (RFC 3264) over session descriptions (RFC 8866).
//!
//! Syntax is `sdp-types`'; what is decided here is which codec, which payload numbers, who sends, and how the next
//! description of a session must look: the order of its media lines and its version.

mod capabilities;
mod codec;
mod crypto;
mod error;
mod negotiated;
mod numbers;
mod remote;
mod session;
mod video;

pub use capabilities::Capabilities;
pub use codec::{Codec, OpusWish};
pub use crypto::{CryptoSuite, NegotiatedSrtp, Srtp, SrtpKey, SrtpPolicy};
pub use error::SdpError;
pub use negotiated::{Direction, Negotiated, TelephoneEvent};
pub use session::MediaSession;
pub use video::{NegotiatedVideo, VideoFormat, VideoPlace};
