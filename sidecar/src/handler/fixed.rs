//! A reply from a file, for applications that need no handler: an announcement line, a test number.

use std::path::Path;

use skillcall_protocol::sma::action::{Action, Hangup, HangupCode};
use skillcall_protocol::sma::{Event, InvocationEventType, Reply, parse_reply};

use crate::engine::HandlerOutcome;

/// What every new call of an application gets.
pub(crate) struct FixedReply {
    new_call: Reply,
    hang_up: Reply,
    /// To an action that failed.
    failed: Reply,
}

/// Reads a file with a handler's reply (facts F1).
///
/// # Errors
/// In words: the file cannot be read, or its content is no reply.
pub(crate) fn read_actions(file: &Path) -> Result<FixedReply, String> {
    let text = std::fs::read(file)
        .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    let new_call = parse_reply(&text)
        .map_err(|error| format!("{} is no handler's reply: {error}", file.display()))?;
    Ok(FixedReply {
        new_call,
        hang_up: hang_up(Hangup::default()),
        failed: Reply::default(),
    })
}

fn hang_up(hangup: Hangup) -> Reply {
    Reply {
        actions: Some(vec![Action::Hangup(hangup).into()]),
        ..Reply::default()
    }
}

impl FixedReply {
    /// This reply to each new call; when what it does fails, the caller hears that it is unavailable.
    pub(super) fn bridging(new_call: Reply) -> Self {
        Self {
            new_call,
            hang_up: hang_up(Hangup::default()),
            failed: hang_up(Hangup {
                sip_response_code: HangupCode::Unavailable,
                ..Hangup::default()
            }),
        }
    }

    /// The reply to an event: the file's to a new call; when one leg has ended, the others end too; no actions else.
    pub(super) fn outcome(&self, event: &Event) -> HandlerOutcome {
        let reply = match event.invocation_event_type {
            InvocationEventType::NewInboundCall | InvocationEventType::CallAnswered => {
                self.new_call.clone()
            }
            InvocationEventType::Hangup => self.hang_up.clone(),
            InvocationEventType::ActionFailed => self.failed.clone(),
            _ => Reply::default(),
        };
        HandlerOutcome::Replied(Ok(reply))
    }
}
