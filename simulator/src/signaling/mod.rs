//! Sessions of `Alexa.Comms.CallSignaling` (facts G2 to G5), as strict as the interface can be read.
//!
//! | module | what |
//! |---|---|
//! | `session` | a session: which message may come when, what follows of it; no clock, no socket |
//! | [`endpoint`] | the device's side of the media: offers and answers |
//! | `book` | all sessions, their clocks, and what follows of each event |
//! | `live` | a session in the book: with its media, the way to the skill, and what has passed |
//! | `outbox` | the messages to the skill, in their order, with the trouble that is ordered |
//! | `inbound` | InitiateInboundCall: which device is called, and whether it may be |
//! | `view` | a session as people and tests see it |

mod book;
pub mod endpoint;
mod inbound;
mod live;
mod outbox;
mod session;
#[cfg(test)]
mod tests;
mod view;

use std::time::Duration;

use skillcall_protocol::signaling::SignalingException;

pub use self::book::SessionError;
pub(crate) use self::book::{Begin, Book, Wanted};
pub(crate) use self::outbox::run as run_outbox;
pub use self::session::{Direction, EndedBy, State};
pub use self::view::{Passed, SessionView};

/// How long a session may take, and what devices do when they are called. No time is published (facts G11): all are our
/// choice.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Habits {
    /// Milliseconds from InitiateOutboundCall to CallRinging.
    pub start_ms: u64,
    /// Milliseconds that a callee rings before the call ends.
    pub ring_ms: u64,
    /// Milliseconds from a message of Alexa's to its acknowledgement.
    pub ack_ms: u64,
    /// Milliseconds from CallUpdate to CallUpdateResponse.
    pub update_ms: u64,
    /// Milliseconds after which a called device accepts by itself; absent: when it is told to.
    pub answer_ms: Option<u64>,
    /// Whether a called device gives early media, by CallInProgress.
    pub early_media: bool,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            start_ms: 20_000,
            ring_ms: 60_000,
            ack_ms: 10_000,
            update_ms: 10_000,
            answer_ms: None,
            early_media: false,
        }
    }
}

impl Habits {
    fn start(&self) -> Duration {
        Duration::from_millis(self.start_ms)
    }

    fn ring(&self) -> Duration {
        Duration::from_millis(self.ring_ms)
    }

    fn ack(&self) -> Duration {
        Duration::from_millis(self.ack_ms)
    }

    fn update(&self) -> Duration {
        Duration::from_millis(self.update_ms)
    }
}

/// Why a message is refused (facts G5).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", exception.name())]
pub(crate) struct Refused {
    pub(crate) exception: SignalingException,
    pub(crate) message: String,
}

impl Refused {
    pub(crate) fn new(exception: SignalingException, message: impl Into<String>) -> Self {
        Self {
            exception,
            message: message.into(),
        }
    }
}
