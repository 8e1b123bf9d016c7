//! A session as people and tests see it.

use serde::Serialize;
use skillcall_protocol::signaling::{CallResult, OperationName, Participant};

use super::session::{Direction, EndedBy, State};

/// A message that passed, in either direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Passed {
    /// `skill` or `alexa`: who sent it.
    pub from: &'static str,
    /// Its operation.
    pub operation: String,
    /// What became of it: the HTTP status, with the exception if there is one.
    pub outcome: String,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    /// Its id.
    pub session_id: String,
    /// Who calls.
    pub direction: Direction,
    /// How far it is.
    pub state: State,
    /// The device.
    pub device_id: String,
    /// The account.
    pub user_id: String,
    /// Who calls whom.
    pub participants: Vec<Participant>,
    /// Whether the device holds the call.
    pub held: bool,
    /// How it ended.
    pub result: Option<CallResult>,
    /// Who ended it.
    pub ended_by: Option<EndedBy>,
    /// The messages that passed, oldest first.
    pub messages: Vec<Passed>,
}

impl SessionView {
    /// The operations that one side has sent and that were taken, in their order.
    #[must_use]
    pub fn taken_from(&self, from: &str) -> Vec<&str> {
        self.messages
            .iter()
            .filter(|message| message.from == from && message.outcome.starts_with('2'))
            .map(|message| message.operation.as_str())
            .collect()
    }

    /// Whether an operation of one side was taken.
    #[must_use]
    pub fn has_taken(&self, from: &str, operation: OperationName) -> bool {
        self.taken_from(from).contains(&operation.as_str())
    }
}
