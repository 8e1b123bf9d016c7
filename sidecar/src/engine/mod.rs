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

mod command;
mod config;
mod input;

pub use command::{Command, LegId, Note, PlayId, PlaySource, RecordingId, Severity, SpeechId};
pub use config::{EngineConfig, Limits};
pub use input::{Failure, HandlerOutcome, InboundCall, Input, Now, RecordingEnd};
