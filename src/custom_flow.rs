//! Calls that code decides which is plugged in (`skillcall:flow/custom-flow`): it is asked before the call plan, and the
//! plan decides where it says nothing or something that cannot be carried out.
//!
//! A plug-in that traps takes the instance with it, so that nothing can be done about it in the same request. The event
//! is noted in `state` before the plug-in is asked, and the note is taken away once it has answered: whoever finds it
//! when the event comes again (facts F3: an error is retried once, silence after 5 s) knows that the plug-in did
//! not end, and leaves the event to the plan.

use sha2::{Digest, Sha256};
use skillcall_protocol::sma::action::{Action, MAX_ACTIONS};
use skillcall_protocol::sma::{
    AttributeUpdate, Event, InvocationEventType, Reply, RequestedAction,
};

use crate::host::Host;
use crate::trace::Recorder;

/// What the trace says when the plug-in has decided.
pub const DECIDED: &str = "the plug-in decides";

/// A call has one event under way at a time, so as many calls at once are told apart.
const SLOTS: u16 = 4096;
/// Longer than a SIP media application tries (facts F3: 20 s).
const TTL_S: u32 = 60;

/// Asks the plug-in. None: the plan decides.
pub fn ask<H: Host>(host: &H, recorder: &Recorder, event: &Event) -> Option<Reply> {
    let attempt = Attempt::of(event);
    if attempt.is_noted(host) {
        recorder.warn(
            host,
            "the plug-in did not answer this event when it came before; the plan decides",
        );
        return None;
    }
    attempt.note(host);
    let answer = host.custom_flow(event);
    attempt.forget(host);
    let actions = answer.and_then(|actions| match actions {
        Some(actions) => acceptable(event, actions).map(Some),
        None => Ok(None),
    });
    match actions {
        Ok(None) => None,
        Ok(Some(actions)) => {
            recorder.note(host, DECIDED);
            Some(Reply {
                actions: Some(actions),
                transaction_attributes: AttributeUpdate::Keep,
            })
        }
        Err(why) => {
            recorder.warn(host, &format!("the plug-in: {why}; the plan decides"));
            None
        }
    }
}

fn acceptable(
    event: &Event,
    actions: Vec<RequestedAction>,
) -> Result<Vec<RequestedAction>, String> {
    let count = actions.len();
    if count > MAX_ACTIONS {
        return Err(format!("{count} actions; expected at most {MAX_ACTIONS}"));
    }
    // Facts F3: an empty list ends a new call with an error.
    if actions.is_empty() && event.invocation_event_type == InvocationEventType::NewInboundCall {
        return Err("no action for a new call; expected at least one, or none for the plan".into());
    }
    for (place, action) in (1..).zip(&actions) {
        if let Err(error) = &action.checked {
            return Err(error.to_string());
        }
        if !Action::TYPES.contains(&action.name.as_str()) {
            return Err(format!(
                "action {place}: Type is {:?}; expected one of {}",
                action.name,
                Action::TYPES.join(", ")
            ));
        }
    }
    Ok(actions)
}

/// An event that the plug-in is asked about.
struct Attempt {
    key: String,
    event: [u8; 16],
}

impl Attempt {
    fn of(event: &Event) -> Self {
        let call = event.call_details.transaction_id.as_str();
        let slot = match Sha256::digest(call)[..] {
            [a, b, ..] => u16::from_be_bytes([a, b]) % SLOTS,
            _ => 0,
        };
        let hash = Sha256::digest(format!("{} {call}", event.sequence));
        Self {
            key: format!("flow/{slot:03x}"),
            event: hash.first_chunk().copied().unwrap_or_default(),
        }
    }

    fn is_noted<H: Host>(&self, host: &H) -> bool {
        match host.state_get(&self.key) {
            Ok(found) => found.is_some_and(|noted| noted == self.event),
            Err(error) => {
                host.log(&format!("custom flow: {error}"));
                false
            }
        }
    }

    // Without the note the plug-in is asked all the same: most do not trap.
    fn note<H: Host>(&self, host: &H) {
        if let Err(error) = host.state_set(&self.key, &self.event, TTL_S) {
            host.log(&format!("custom flow: {error}"));
        }
    }

    fn forget<H: Host>(&self, host: &H) {
        if let Err(error) = host.state_delete(&self.key) {
            host.log(&format!("custom flow: {error}"));
        }
    }
}

#[cfg(test)]
mod tests;
