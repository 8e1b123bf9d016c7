//! The answers to Alexa's requests (facts A).

mod call;
mod speech;

use skillcall_plan::{DecodeError, Plan, TextKey};
use skillcall_protocol::alexa::{Envelope, Intent, Kind, ResponseEnvelope, Slot};

use crate::host::{Deadline, Host};
use crate::settings::Settings;
use crate::trace::Recorder;

use speech::Speech;

/// The slot of CallIntent that says whom to call.
const DESTINATION_SLOT: &str = "destination";

/// What a request is served with.
pub struct Serving<'s, H> {
    /// The outside.
    pub host: &'s H,
    /// The settings.
    pub settings: &'s Settings,
    /// The call plan.
    pub plan: &'s Plan<'s>,
    /// The request's trace.
    pub recorder: &'s Recorder,
    /// Until when the answer must be out.
    pub deadline: Deadline,
}

/// Answers a verified request. What this version does not serve is answered with an empty response, as facts A2 wants.
///
/// # Errors
/// When the plan is damaged.
pub fn answer<H: Host>(
    serving: &Serving<'_, H>,
    envelope: &Envelope,
) -> Result<ResponseEnvelope, DecodeError> {
    let locale = envelope
        .request
        .locale
        .as_deref()
        .unwrap_or(serving.plan.default_locale);
    let speech = Speech {
        plan: serving.plan,
        locale,
    };
    match envelope.request.kind() {
        Kind::Launch => speech.ask(TextKey::Welcome),
        Kind::Intent(intent) => answer_intent(serving, envelope, intent, &speech),
        _ => Ok(ResponseEnvelope::empty()),
    }
}

fn answer_intent<H: Host>(
    serving: &Serving<'_, H>,
    envelope: &Envelope,
    intent: &Intent,
    speech: &Speech<'_>,
) -> Result<ResponseEnvelope, DecodeError> {
    match intent.name.as_str() {
        "CallIntent" => {
            let slot = intent.slots.get(DESTINATION_SLOT);
            let Some(slot) =
                slot.filter(|slot| slot.value.is_some() || slot.matches().next().is_some())
            else {
                return speech.ask(TextKey::WhichDestination);
            };
            match destination(serving.plan, slot)? {
                Some(destination) => call::place(serving, envelope, &destination, speech),
                None => speech.ask(TextKey::UnknownDestination),
            }
        }
        "AMAZON.HelpIntent" | "AMAZON.FallbackIntent" => speech.ask(TextKey::Help),
        "AMAZON.StopIntent" | "AMAZON.CancelIntent" | "AMAZON.NavigateHomeIntent" => {
            speech.tell(TextKey::Goodbye)
        }
        _ => Ok(ResponseEnvelope::empty()),
    }
}

/// The destination that a slot names: by the id of what the interaction model resolved, by its name, or by the very words.
fn destination<'p>(
    plan: &Plan<'p>,
    slot: &Slot,
) -> Result<Option<skillcall_plan::compiled::Destination<'p>>, DecodeError> {
    for value in slot.matches() {
        if let Some(id) = &value.id
            && let Some(destination) = plan.destination_with_id(id)?
        {
            return Ok(Some(destination));
        }
        if let Some(destination) = plan.destination_named(&value.name)? {
            return Ok(Some(destination));
        }
    }
    match &slot.value {
        Some(spoken) => plan.destination_named(spoken),
        None => Ok(None),
    }
}
