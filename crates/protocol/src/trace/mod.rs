//! One call, as every part saw it: a record for each message that crossed a border, each note, each leg's figures and each
//! recording, as JSON lines of one schema.
//!
//! [`find`] gathers one call's records, [`Trace::ladder`] draws them, [`Trace::legs`] says how each SIP leg went.
//!
//! A message is recorded at both ends. All text in a record is [`Text`], which cannot be made without redacting it
//! ([`crate::redact`]), not even by reading it; so nothing that is written carries a number, a token or a key.

mod find;
mod label;
mod ladder;
mod legs;
mod record;
mod text;

pub use find::{Trace, find};
pub use ladder::{Step, StepKind};
pub use legs::{Leg, LegEnd};
pub use record::{
    Direction, Ids, Kind, Level, MediaFigures, Message, Party, Protocol, Record, VERSION,
};
pub use text::{BODY_MAX_BYTES, Text};

#[cfg(test)]
mod tests;
