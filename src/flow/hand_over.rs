//! Calls that are handed over: the plan's handler decides, and the position travels on beside its attributes.

use skillcall_plan::Plan;
use skillcall_plan::compiled::{self, Flow};
use skillcall_protocol::sma::{AttributeUpdate, Event, Reply};

use super::course::Course;
use super::position::Position;
use super::{Decision, FlowError};

/// What the names of the position's attributes begin with.
const OWN: &str = "skillcall.";

/// To whom an event goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandOver {
    /// The handler's URL.
    pub url: String,
    /// Whether its reply must be signed.
    pub require_signed_replies: bool,
    position: Position,
}

impl HandOver {
    pub(super) fn to(handler: &compiled::HandOver<'_>, position: Position) -> Self {
        Self {
            url: handler.url.to_owned(),
            require_signed_replies: handler.require_signed_replies,
            position,
        }
    }

    /// The handler's reply, with the position beside its attributes: what it says of its own holds, and what it does not say
    /// stays (facts F4). Attributes whose names begin with `skillcall.` are not the handler's.
    #[must_use]
    pub fn taken(&self, event: &Event, reply: Reply) -> Reply {
        let present = || {
            event
                .call_details
                .transaction_attributes
                .clone()
                .unwrap_or_default()
        };
        let mut attributes = match reply.transaction_attributes {
            AttributeUpdate::Keep => present(),
            AttributeUpdate::Set(attributes) => attributes,
        };
        attributes.retain(|name, _| !name.starts_with(OWN));
        attributes.extend(self.position.carried());
        Reply {
            actions: reply.actions,
            transaction_attributes: AttributeUpdate::Set(attributes),
        }
    }

    /// What follows when the handler gave no reply: `on-failure` of its step, else an apology.
    ///
    /// # Errors
    /// When the plan does not serve.
    pub fn failed(
        &self,
        plan: &Plan<'_>,
        event: &Event,
        now_s: i64,
        why: &str,
    ) -> Result<Decision, FlowError> {
        let flow: Flow<'_> = plan
            .flow(&self.position.flow)?
            .ok_or_else(|| FlowError::Plan(format!("it has no flow for {}", self.position.flow)))?;
        Course {
            plan,
            event,
            flow: &flow,
            position: self.position.clone(),
            now_s,
        }
        .fail(why)
    }
}
