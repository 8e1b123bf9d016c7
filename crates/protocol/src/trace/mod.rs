//! One call, as every part saw it: a record for each message that crossed a border, each note, each leg's figures and each
//! recording, as JSON lines of one schema.
//!
//! A message is recorded at both ends. Records are made by [`Record::message`] and its siblings, which redact all text
//! ([`crate::redact`]); there is no other way to make one, so nothing that is written carries a number, a token or a key.

mod find;
mod ladder;
mod record;

pub use find::{Trace, find};
pub use ladder::{Step, StepKind};
pub use record::{
    BODY_MAX_BYTES, Direction, Ids, Kind, Level, MediaFigures, Message, Party, Protocol, Record,
    VERSION,
};

#[cfg(test)]
mod tests;
