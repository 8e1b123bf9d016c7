//! Video that passes through a back-to-back user agent undecoded: what one side says of it, as the other one is told.
//!
//! Each side's descriptions are read and written elsewhere; here is what a format of H.264 is (RFC 6184 §8), which formats are the
//! same, and who sends.

#![forbid(unsafe_code)]

mod h264;
mod terms;

pub use h264::{Format, Profile};
pub use terms::{Flow, Met, Terms, answered, meet};
