//! `Alexa.Comms.CallSignaling`: the messages of a call between an Alexa device and an endpoint of ours (facts G2, G3).
//!
//! A [`Message`] is one flat JSON object in both directions: a member `type`, `Alexa.Comms.CallSignaling.` and the
//! operation's name, a member `sessionId`, and the operation's own members. From Alexa they stand in `request` of a
//! skill request ([`Message::of_request`]); to Alexa they are the body of `POST` [`PATH`].
//!
//! Messages are read leniently (members that nobody knows are passed over, a new code is kept by its name) and written
//! strictly: what breaks a rule of the interface is not serialised.
//!
//! | module | what |
//! |---|---|
//! | `message` | sessions, operations, and what each operation must have |
//! | `read` | reading, with the broken rule named |
//! | `parts` | session descriptions, results, participants |
//! | `exception` | what Alexa answers when it refuses (facts G5) |
//! | `link` | what component and sidecar tell each other |

mod exception;
mod link;
mod message;
mod parts;
mod read;

pub use exception::{Refusal, SignalingException};
pub use link::{FORWARD_PATH, Forward, Order, Outcome};
pub use message::{Message, Operation, OperationName};
pub use parts::{
    CallResult, CustomParams, Participant, RenegotiationKind, ResultCode, SdpDetails, SdpKind,
};
pub use read::ParseError;

/// The path of the counterpart at the region's API endpoint (facts G3).
pub const PATH: &str = "/v1/communications/signaling";

/// What each message's `type` begins with (facts G2).
pub const TYPE_PREFIX: &str = "Alexa.Comms.CallSignaling.";

/// The longest session description that is taken, in bytes (our choice: the longest that was seen has a fifth of it).
pub const SDP_MAX_BYTES: usize = 32 * 1024;

/// The most participants of a call (our choice: two are documented).
pub const PARTICIPANTS_MAX: usize = 16;

/// The longest name of a participant, in characters (our choice).
pub const PARTICIPANT_MAX_CHARS: usize = 512;

/// The longest code, kind or word of a fixed set that is taken, in characters (our choice).
pub const WORD_MAX_CHARS: usize = 64;

#[cfg(test)]
mod tests;
