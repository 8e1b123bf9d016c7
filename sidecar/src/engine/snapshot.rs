//! A call as the control API shows it.

use serde::Serialize;
use skillcall_protocol::sma::{
    InvocationEventType, Participant, TransactionAttributes, TransactionId,
};

use super::call::Call;

/// What a call is doing now.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// The call.
    pub transaction_id: TransactionId,
    /// Its legs, as events show them.
    pub participants: Vec<Participant>,
    /// Whether legs A and B hear each other.
    pub bridged: bool,
    /// The running action.
    pub running: Option<RunningAction>,
    /// The types of the actions after it.
    pub pending: Vec<String>,
    /// The legs on which a ReceiveDigits listener is armed.
    pub listening: Vec<String>,
    /// The event that the handler is being asked.
    pub asking: Option<InvocationEventType>,
    /// How many events were sent.
    pub sequence: u32,
    /// The handler's notes.
    pub transaction_attributes: Option<TransactionAttributes>,
}

/// The running action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunningAction {
    /// Its type.
    #[serde(rename = "type")]
    pub name: String,
    /// The role of its leg.
    pub leg: String,
    /// When it began: milliseconds since 1970.
    pub since_unix_millis: u64,
}

impl Call {
    /// What the call is doing now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            transaction_id: self.transaction_id.clone(),
            participants: self.legs.participants(),
            bridged: self.bridged.is_some(),
            running: self.running.as_ref().map(|running| RunningAction {
                name: running.origin.name.clone(),
                leg: running.origin.leg.tag().to_string(),
                since_unix_millis: running.since_unix_millis,
            }),
            pending: self.list.names().map(str::to_owned).collect(),
            listening: self
                .listeners
                .keys()
                .map(|leg| leg.tag().to_string())
                .collect(),
            asking: self
                .handler
                .asking()
                .map(|event| event.invocation_event_type.clone()),
            sequence: self.handler.sequence(),
            transaction_attributes: self.attributes.clone(),
        }
    }
}
