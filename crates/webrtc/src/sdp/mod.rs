//! Session descriptions of WebRTC's kind for one audio line, and one of video beside it (RFC 8829, RFC 3264, RFC 9143), as browsers write them and as
//! Alexa does (facts G9).
//!
//! Syntax is `sdp-types`'. What is decided here: which codec under which numbers, who sends, which lines are kept, and who
//! begins the DTLS handshake.

mod candidate;
mod direction;
mod echo;
mod error;
mod formats;
mod local;
mod negotiation;
mod remote;
mod transport;
mod video;

#[cfg(test)]
mod tests;

pub use direction::Direction;
pub use error::OfferError;
pub use formats::{Audio, Events, OpusParameters};
pub use local::Style;
pub use video::{Video, VideoFormat};

pub(crate) use formats::Capabilities;
pub(crate) use local::LocalTransport;
pub(crate) use negotiation::Negotiation;
pub(crate) use remote::{Remote, RemoteLines};
pub(crate) use transport::{RemoteTransport, Setup};
