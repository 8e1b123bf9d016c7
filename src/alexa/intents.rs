//! IntentRequest (facts A2): the plan's own intents, and Amazon's built-in ones.

use skillcall_plan::compiled::CallIntent;
use skillcall_plan::{DecodeError, TextKey};
use skillcall_protocol::alexa::{ConfirmationStatus, Envelope, Intent, ResponseEnvelope};

use super::choice::{self, Wanted};
use super::dialog::{self, Pending};
use super::speech::Speech;
use super::{Serving, call};
use crate::host::Host;

pub(super) fn answer<H: Host>(
    serving: &Serving<'_, H>,
    envelope: &Envelope,
    intent: &Intent,
    speech: &Speech<'_>,
) -> Result<ResponseEnvelope, DecodeError> {
    let pending = Pending::of(envelope);
    match intent.name.as_str() {
        "AMAZON.YesIntent" => match &pending {
            Some(Pending::Confirm(id)) => confirmed(serving, envelope, id, speech),
            // "Yes" does not say which one.
            Some(choice) => again(speech, choice),
            None => speech.ask(TextKey::Help),
        },
        "AMAZON.NoIntent" => match &pending {
            Some(Pending::Confirm(_)) => speech.tell(TextKey::NotCalled),
            Some(Pending::Choice(_)) => speech.ask(TextKey::WhichDestination),
            None => speech.tell(TextKey::Goodbye),
        },
        "AMAZON.HelpIntent" | "AMAZON.FallbackIntent" => {
            dialog::still_asking(speech.ask(TextKey::Help)?, speech, pending.as_ref())
        }
        "AMAZON.RepeatIntent" => match &pending {
            Some(pending) => again(speech, pending),
            None => speech.ask(TextKey::WhichDestination),
        },
        "AMAZON.StopIntent" | "AMAZON.CancelIntent" | "AMAZON.NavigateHomeIntent" => {
            speech.tell(TextKey::Goodbye)
        }
        name => match serving.plan.call_intent(name)? {
            Some(call) => place(serving, envelope, intent, &call, pending.as_ref(), speech),
            None => {
                let note = format!("the plan does not know the intent {name}");
                serving.recorder.note(serving.host, &note);
                Ok(ResponseEnvelope::empty())
            }
        },
    }
}

fn again(speech: &Speech<'_>, pending: &Pending) -> Result<ResponseEnvelope, DecodeError> {
    match dialog::question(speech, pending)? {
        Some(question) => dialog::still_asking(
            ResponseEnvelope::ask(question.clone(), question),
            speech,
            Some(pending),
        ),
        None => speech.ask(TextKey::WhichDestination),
    }
}

/// The customer said yes to a call.
fn confirmed<H: Host>(
    serving: &Serving<'_, H>,
    envelope: &Envelope,
    id: &str,
    speech: &Speech<'_>,
) -> Result<ResponseEnvelope, DecodeError> {
    let Some(place) = serving.plan.place_with_id(id) else {
        return speech.ask(TextKey::UnknownDestination);
    };
    let Some(destination) = serving.plan.destination(place)? else {
        return speech.ask(TextKey::UnknownDestination);
    };
    // The plan may have changed since the question.
    if serving.plan.allows(&choice::asking(envelope), place)? {
        call::place(serving, envelope, &destination, speech)
    } else {
        speech.tell_about(TextKey::NotAllowed, &destination)
    }
}

fn place<H: Host>(
    serving: &Serving<'_, H>,
    envelope: &Envelope,
    intent: &Intent,
    call: &CallIntent<'_>,
    pending: Option<&Pending>,
    speech: &Speech<'_>,
) -> Result<ResponseEnvelope, DecodeError> {
    if intent.confirmation_status == ConfirmationStatus::Denied {
        return speech.tell(TextKey::NotCalled);
    }
    let slot = intent.slots.get(call.slot);
    if slot.is_some_and(|slot| slot.confirmation_status == ConfirmationStatus::Denied) {
        return dialog::ask_whom(speech, envelope, intent, call, TextKey::WhichDestination);
    }
    let among = Pending::choices(pending);
    match choice::wanted(serving.plan, envelope, intent, call, among)? {
        Wanted::Nobody => {
            dialog::ask_whom(speech, envelope, intent, call, TextKey::WhichDestination)
        }
        Wanted::Unknown => {
            dialog::ask_whom(speech, envelope, intent, call, TextKey::UnknownDestination)
        }
        Wanted::Forbidden(destination) => {
            let note = format!("the plan's rules do not allow a call to {}", destination.id);
            serving.recorder.warn(serving.host, &note);
            speech.tell_about(TextKey::NotAllowed, &destination)
        }
        Wanted::Several(several) => dialog::ask_which(speech, envelope, intent, call, &several),
        Wanted::One(destination) => {
            let confirmed = intent.confirmation_status == ConfirmationStatus::Confirmed;
            if destination.confirm && !confirmed {
                dialog::ask_whether(speech, envelope, Some(intent), &destination)
            } else {
                call::place(serving, envelope, &destination, speech)
            }
        }
    }
}
