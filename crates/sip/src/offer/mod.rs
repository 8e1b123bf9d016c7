//! Offer and answer as a state machine (RFC 3264, RFC 6337): whose offer is open, what holds if it fails, and hold.
//!
//! [`MediaSession`](crate::sdp::MediaSession) knows what descriptions say; an [`OfferAnswer`] knows whose turn it is.
//! One offer is open at a time; a refused one leaves all as it was before it was made.

mod exchange;
mod shift;

pub use exchange::{OfferAnswer, OfferError, OfferState};
pub use shift::Shift;
