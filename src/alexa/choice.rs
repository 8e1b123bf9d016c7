//! Whom the customer means: the destinations that a slot names, and those of them that may be called.

use skillcall_plan::compiled::{Asking, CallIntent, Destination};
use skillcall_plan::{DecodeError, Plan};
use skillcall_protocol::alexa::{Envelope, Intent, Slot};

/// Whom the customer means.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Wanted<'p> {
    /// Nobody was named.
    Nobody,
    /// A name that no destination has.
    Unknown,
    /// One that may not be called from here.
    Forbidden(Box<Destination<'p>>),
    /// One.
    One(Box<Destination<'p>>),
    /// Several, and which is not clear.
    Several(Vec<Destination<'p>>),
}

/// Reads whom the customer means. `among` are the ids of an earlier question: a name that is still that of several is
/// settled by them.
pub(super) fn wanted<'p>(
    plan: &Plan<'p>,
    envelope: &Envelope,
    intent: &Intent,
    call: &CallIntent<'_>,
    among: &[String],
) -> Result<Wanted<'p>, DecodeError> {
    let named = match call.destination {
        Some(place) => vec![usize::from(place)],
        None => match intent.slots.get(call.slot) {
            Some(slot) if !slot.readings().is_empty() => places(plan, slot),
            _ => return Ok(Wanted::Nobody),
        },
    };
    let asking = asking(envelope);
    let (mut allowed, mut forbidden) = (Vec::new(), None);
    for place in named {
        let Some(destination) = plan.destination(place)? else {
            continue;
        };
        if plan.allows(&asking, place)? {
            allowed.push(destination);
        } else {
            forbidden.get_or_insert(destination);
        }
    }
    if allowed.len() > 1 {
        let settled: Vec<_> = allowed
            .iter()
            .filter(|destination| among.iter().any(|id| id == destination.id))
            .cloned()
            .collect();
        if !settled.is_empty() {
            allowed = settled;
        }
    }
    Ok(match (allowed.len(), allowed.pop(), forbidden) {
        (1, Some(one), _) => Wanted::One(Box::new(one)),
        (0, _, Some(forbidden)) => Wanted::Forbidden(Box::new(forbidden)),
        (_, Some(last), _) => {
            allowed.push(last);
            Wanted::Several(allowed)
        }
        (_, None, None) => Wanted::Unknown,
        (_, None, Some(forbidden)) => Wanted::Forbidden(Box::new(forbidden)),
    })
}

/// The places of the destinations that a slot names, each once: by the ids and names of what the interaction model's
/// authorities resolved, else by the very words. Words that are a destination's own name settle what was resolved to several.
fn places(plan: &Plan<'_>, slot: &Slot) -> Vec<usize> {
    let mut places = Vec::new();
    for reading in slot.readings() {
        let mut found = Vec::new();
        for value in reading.matches() {
            match value.id.as_deref().and_then(|id| plan.place_with_id(id)) {
                Some(place) => found.push(place),
                None => found.extend(plan.places_named(&value.name)),
            }
        }
        let by_words = reading
            .spoken
            .map(|spoken| plan.places_named(spoken))
            .unwrap_or_default();
        match by_words.as_slice() {
            [one] if found.contains(one) => found = vec![*one],
            _ if found.is_empty() => found = by_words,
            _ => {}
        }
        for place in found {
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
    places
}

/// Who wants to call, as the plan's rules name them.
pub(super) fn asking(envelope: &Envelope) -> Asking<'_> {
    let system = &envelope.context.system;
    Asking {
        user: envelope.user().map(|user| user.user_id.as_str()),
        person: system
            .person
            .as_ref()
            .map(|person| person.person_id.as_str()),
        device: system
            .device
            .as_ref()
            .map(|device| device.device_id.as_str()),
        unit: system
            .unit
            .as_ref()
            .and_then(|unit| unit.unit_id.as_deref()),
        persistent_unit: system
            .unit
            .as_ref()
            .and_then(|unit| unit.persistent_unit_id.as_deref()),
    }
}
