//! CanFulfillIntentRequest (facts A2): whether the skill could do it. Nothing is asked of anybody, and nothing is done.

use skillcall_plan::DecodeError;
use skillcall_protocol::alexa::{
    Ability, CanFulfill, CanFulfillSlot, Envelope, Intent, Response, ResponseEnvelope, Sureness,
};

use super::Serving;
use super::choice::{self, Wanted};
use crate::host::Host;

pub(super) fn answer<H: Host>(
    serving: &Serving<'_, H>,
    envelope: &Envelope,
    intent: &Intent,
) -> Result<ResponseEnvelope, DecodeError> {
    let call = serving.plan.call_intent(&intent.name)?;
    let (can_fulfill, slot) = match &call {
        None => (Sureness::No, CanFulfillSlot::understood(Sureness::No)),
        Some(call) => match choice::wanted(serving.plan, envelope, intent, call, &[])? {
            Wanted::One(_) => (Sureness::Yes, CanFulfillSlot::understood(Sureness::Yes)),
            Wanted::Several(_) => (Sureness::Maybe, CanFulfillSlot::understood(Sureness::Maybe)),
            // The skill asks for what is missing.
            Wanted::Nobody => (Sureness::Maybe, CanFulfillSlot::understood(Sureness::Maybe)),
            Wanted::Forbidden(_) => (
                Sureness::No,
                CanFulfillSlot {
                    can_understand: Sureness::Yes,
                    can_fulfill: Ability::No,
                },
            ),
            Wanted::Unknown => (Sureness::No, CanFulfillSlot::understood(Sureness::No)),
        },
    };
    let slots = intent
        .slots
        .keys()
        .map(|name| {
            let own = call.as_ref().is_some_and(|call| call.slot == name);
            let unknown = CanFulfillSlot::understood(Sureness::No);
            (name.clone(), if own { slot } else { unknown })
        })
        .collect();
    Ok(ResponseEnvelope::new(Response {
        can_fulfill_intent: Some(CanFulfill { can_fulfill, slots }),
        ..Response::default()
    }))
}
