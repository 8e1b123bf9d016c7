//! The gateway: a call between an Alexa device, by Alexa.Comms.CallSignaling (facts G), and a phone, by SIP.
//!
//! [`Session`] is one call's state machine: it owns no socket, no task and no clock. It is told what happened
//! ([`Input`]) with the time, and says what to do ([`Action`]) and until when it wants to be left alone. docs/gateway.md
//! has its tables.
//!
//! | file | what |
//! |---|---|
//! | `session` | a call's two legs, and its times |
//! | `heard`, `ending` | what Alexa says, and what becomes of what is said to it; the end from either side |
//! | `from_alexa`, `from_phone` | who calls whom: SIP's responses as messages, and messages as responses |
//! | `renegotiation` | new offers within a call |
//! | `outbox`, `exceptions` | what is said to Alexa, in order; what its answers mean (facts G5) |
//! | `timers` | times |
//! | `switchboard`, `seen` | what calls share: the way to Alexa, what came before |
//! | `codes` | SIP's statuses and Alexa's results |
//! | `video` | what each side is told of the other one's video |

mod codes;
mod ending;
mod event;
mod exceptions;
mod from_alexa;
mod from_phone;
mod heard;
mod outbox;
mod renegotiation;
mod seen;
mod session;
mod switchboard;
mod timers;
mod video;

#[cfg(test)]
mod tests;

pub(crate) use event::{Action, Input, Reanswered, Side};
pub(crate) use outbox::Post;
pub(crate) use seen::Standing;
pub(crate) use session::{Caller, Session};
pub(crate) use switchboard::{Account, Switchboard};
pub(crate) use video::Video;
