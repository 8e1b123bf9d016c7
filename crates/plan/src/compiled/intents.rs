//! Which intents of the interaction model place calls.

use serde::{Deserialize, Serialize};

/// An intent that places a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallIntent<'a> {
    /// The intent's name.
    pub name: &'a str,
    /// The slot that says whom to call.
    pub slot: &'a str,
    /// The place of the destination that is always called; the slot is not read then.
    pub destination: Option<u16>,
}

/// The intent of a plan that names none.
pub(super) const USUAL: CallIntent<'static> = CallIntent {
    name: "CallIntent",
    slot: "destination",
    destination: None,
};
