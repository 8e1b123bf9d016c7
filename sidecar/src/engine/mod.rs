//! The action engine: one call of the SIP media application, from the INVITE to its last HANGUP (facts E and F).
//!
//! It owns no socket, no task and no clock. It is told what happened ([`Input`]) with the time ([`Now`]), and says
//! what to do ([`Command`]) and until when it wants to be left alone:
//!
//! ```text
//! let mut call = Call::inbound(Arc::new(config), inbound, Box::new(|| CallId::new(uuid())), now);
//! loop {
//!     while let Some(command) = call.poll() { carry_out(command); }   // in order; Command::End is the last
//!     match wait_for_input_until(call.deadline()) {
//!         Some(input) => call.handle(input, now()),
//!         None => call.handle_timeout(now()),
//!     }
//! }
//! ```
//!
//! | file | what |
//! |---|---|
//! | `call`, `leg`, `timers` | the call, its legs, its times |
//! | `handler` | asking the handler: time-outs, retries, what a reply does (facts F1, F3, F4) |
//! | `list`, `running` | which action runs, which success is told (facts F2, F5, F8) |
//! | `playing`, `get_digits`, `listener`, `recording`, `bridge`, `meeting`, `bot` | the actions (facts F6) |
//! | `created` | a call that is made through the API (facts E3, F10) |
//! | `ending` | HANGUP (facts E3) |

mod bot;
mod bridge;
mod call;
mod command;
mod config;
mod created;
mod digits;
mod ending;
mod get_digits;
mod handler;
mod input;
mod leg;
mod list;
mod listener;
mod meeting;
mod playing;
mod recording;
mod running;
mod snapshot;
mod throttle;
mod timers;

#[cfg(test)]
mod tests;

pub use bot::{BotAbility, BotMessage, BotOutcome, BotReply, BotStart, BotTurn, Said, TurnId};
pub use call::{Call, CallIds};
pub use command::{
    Command, LegId, LegRecord, Note, PlayId, PlaySource, RecordingId, Severity, SpeechId,
};
pub use config::{EngineConfig, Limits};
pub use created::OutboundCall;
pub use input::{Failure, HandlerOutcome, InboundCall, Input, Now, RecordingEnd};
pub use recording::{call_recording_key, recording_key};
pub use snapshot::{RunningAction, Snapshot};
pub use throttle::Throttle;
