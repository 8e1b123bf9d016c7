//! Questions: what was asked travels in the session's attributes; where the interaction model has a dialog, its directives
//! ask, and the answer comes in the intent itself (facts A2).

use serde_json::{Map, Value, json};
use skillcall_plan::compiled::{CallIntent, Destination};
use skillcall_plan::{DecodeError, TextKey};
use skillcall_protocol::alexa::{
    DialogState, Envelope, Intent, OutputSpeech, Reprompt, ResponseEnvelope, dialog,
};

use super::speech::{About, Speech};

/// The session attribute that holds the question.
const ATTRIBUTE: &str = "skillcall";

/// What was asked before this request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pending {
    /// Whether to call the destination with this id.
    Confirm(String),
    /// Which of these ids.
    Choice(Vec<String>),
}

impl Pending {
    /// The question that the session's attributes hold.
    pub(super) fn of(envelope: &Envelope) -> Option<Self> {
        let asked = envelope.session.as_ref()?.attributes.get(ATTRIBUTE)?;
        let ids: Vec<String> = asked
            .get("of")?
            .as_array()?
            .iter()
            .filter_map(|id| id.as_str().map(str::to_owned))
            .collect();
        match asked.get("ask")?.as_str()? {
            "confirm" => ids.into_iter().next().map(Self::Confirm),
            "choice" => Some(Self::Choice(ids)),
            _ => None,
        }
    }

    /// The same question as an attribute.
    fn attribute(&self) -> Value {
        match self {
            Self::Confirm(id) => json!({"ask": "confirm", "of": [id]}),
            Self::Choice(ids) => json!({"ask": "choice", "of": ids}),
        }
    }

    /// The ids of a choice; none of another question.
    pub(super) fn choices(pending: Option<&Self>) -> &[String] {
        match pending {
            Some(Self::Choice(ids)) => ids,
            _ => &[],
        }
    }
}

/// Whether the intent has a dialog model whose directives may be used now.
fn has_dialog(envelope: &Envelope) -> bool {
    matches!(
        envelope.request.dialog_state,
        Some(DialogState::Started | DialogState::InProgress)
    )
}

/// The intent of a request with an empty slot, which a dialog then fills anew.
fn without_slot(intent: &Intent, slot: &str) -> Intent {
    let mut intent = strict(intent);
    if let Some(slot) = intent.slots.get_mut(slot) {
        slot.value = None;
        slot.resolutions = None;
        slot.slot_value = None;
    }
    intent
}

/// The intent as a directive may name it: `ask-sdk-model` knows no `source` of a slot, and nobody knows the rest.
fn strict(intent: &Intent) -> Intent {
    let mut intent = intent.clone();
    intent.more.clear();
    for slot in intent.slots.values_mut() {
        slot.source = None;
        slot.more.clear();
    }
    intent
}

/// A question for a slot, by the dialog where there is one.
fn asking_for_slot(
    response: ResponseEnvelope,
    envelope: &Envelope,
    intent: &Intent,
    slot: &str,
) -> ResponseEnvelope {
    if has_dialog(envelope) && intent.slots.contains_key(slot) {
        response.with_directive(dialog::elicit_slot(&without_slot(intent, slot), slot))
    } else {
        response
    }
}

/// Asks whom to call.
pub(super) fn ask_whom(
    speech: &Speech<'_>,
    envelope: &Envelope,
    intent: &Intent,
    call: &CallIntent<'_>,
    key: TextKey,
) -> Result<ResponseEnvelope, DecodeError> {
    let response = speech.ask(key)?;
    Ok(asking_for_slot(response, envelope, intent, call.slot))
}

/// Offers a choice.
pub(super) fn ask_which(
    speech: &Speech<'_>,
    envelope: &Envelope,
    intent: &Intent,
    call: &CallIntent<'_>,
    several: &[Destination<'_>],
) -> Result<ResponseEnvelope, DecodeError> {
    let choices = speech.choices(several)?;
    let question = speech.text(
        TextKey::WhichOf,
        About {
            choices: &choices,
            ..About::default()
        },
    )?;
    let ids = several.iter().map(|d| d.id.to_owned()).collect();
    let response = ResponseEnvelope::ask(question.clone(), question)
        .with_attribute(ATTRIBUTE, Pending::Choice(ids).attribute());
    Ok(asking_for_slot(response, envelope, intent, call.slot))
}

/// Asks whether to call.
pub(super) fn ask_whether(
    speech: &Speech<'_>,
    envelope: &Envelope,
    intent: Option<&Intent>,
    destination: &Destination<'_>,
) -> Result<ResponseEnvelope, DecodeError> {
    let about = About {
        destination: Some(destination),
        ..About::default()
    };
    let question = speech.text(TextKey::Confirm, about)?;
    let response = ResponseEnvelope::ask(question.clone(), question);
    Ok(match intent.filter(|_| has_dialog(envelope)) {
        Some(intent) => response.with_directive(dialog::confirm_intent(&strict(intent))),
        None => response.with_attribute(
            ATTRIBUTE,
            Pending::Confirm(destination.id.to_owned()).attribute(),
        ),
    })
}

/// The response to something said in between, with the question that still waits for its answer.
pub(super) fn still_asking(
    mut response: ResponseEnvelope,
    speech: &Speech<'_>,
    pending: Option<&Pending>,
) -> Result<ResponseEnvelope, DecodeError> {
    let Some(pending) = pending else {
        return Ok(response);
    };
    if let Some(question) = question(speech, pending)? {
        response.response.reprompt = Some(Reprompt {
            output_speech: Some(OutputSpeech::speech(question)),
            directives: Vec::new(),
            more: Map::new(),
        });
    }
    Ok(response.with_attribute(ATTRIBUTE, pending.attribute()))
}

/// The words of a question.
pub(super) fn question(
    speech: &Speech<'_>,
    pending: &Pending,
) -> Result<Option<String>, DecodeError> {
    match pending {
        Pending::Confirm(id) => match speech.plan.destination_with_id(id)? {
            Some(destination) => {
                let about = About {
                    destination: Some(&destination),
                    ..About::default()
                };
                Ok(Some(speech.text(TextKey::Confirm, about)?))
            }
            None => Ok(None),
        },
        Pending::Choice(ids) => {
            let mut several = Vec::new();
            for id in ids {
                several.extend(speech.plan.destination_with_id(id)?);
            }
            let choices = speech.choices(&several)?;
            let about = About {
                choices: &choices,
                ..About::default()
            };
            Ok(Some(speech.text(TextKey::WhichOf, about)?))
        }
    }
}
