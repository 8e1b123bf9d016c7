//! A step's actions with the call's values in them.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Map, Value};
use skillcall_plan::compiled::{Destination, Step};
use skillcall_plan::{Plan, TextKey, Variable};
use skillcall_protocol::sma::action::{Action, ActionError};
use skillcall_protocol::sma::{Event, ParticipantTag, RequestedAction};

use super::FlowError;
use super::position::Position;

/// What the variables stand for in one event.
pub(super) struct Values<'e, 'p> {
    pub(super) event: &'e Event,
    pub(super) position: &'e Position,
    pub(super) destination: Option<Destination<'p>>,
}

impl<'e> Values<'e, '_> {
    fn value(&self, variable: Variable) -> Cow<'_, str> {
        let details = &self.event.call_details;
        let leg = |tag: &ParticipantTag| details.participant(tag);
        let text = |found: Option<&'e str>| Cow::Borrowed(found.unwrap_or_default());
        match variable {
            Variable::DestinationName => self.destination.as_ref().map_or(Cow::Borrowed(""), |d| {
                Cow::Borrowed(d.spoken_name(&self.position.locale))
            }),
            Variable::DestinationId => self
                .destination
                .as_ref()
                .map_or(Cow::Borrowed(""), |d| Cow::Borrowed(d.id)),
            Variable::DestinationNumber => self
                .destination
                .as_ref()
                .map_or(Cow::Borrowed(""), |d| Cow::Borrowed(d.number())),
            Variable::CallerNumber => text(leg(&ParticipantTag::LegA).map(|leg| leg.from.as_str())),
            Variable::CalledNumber => text(leg(&ParticipantTag::LegA).map(|leg| leg.to.as_str())),
            Variable::Digits => Cow::Borrowed(&self.position.digits),
            Variable::Locale => Cow::Borrowed(&self.position.locale),
            Variable::LegA => text(leg(&ParticipantTag::LegA).map(|leg| leg.call_id.as_str())),
            Variable::LegB => text(leg(&ParticipantTag::LegB).map(|leg| leg.call_id.as_str())),
            Variable::Transaction => Cow::Borrowed(details.transaction_id.as_str()),
            Variable::Csi => Cow::Borrowed(&self.position.csi),
            // Nobody chooses within a call.
            Variable::Choices | Variable::DestinationOpens => Cow::Borrowed(""),
        }
    }
}

/// An action as the plan's template gives it.
#[derive(Deserialize)]
struct Written {
    #[serde(rename = "Type")]
    name: String,
    #[serde(rename = "Parameters")]
    parameters: Map<String, Value>,
}

/// The step's actions. `leg` is named in those that name none: after a hang-up the leg that triggered the event, which
/// is what an action without a leg means (facts F5), is the one that is gone.
pub(super) fn actions(
    step: &Step<'_>,
    values: &Values<'_, '_>,
    leg: Option<&ParticipantTag>,
) -> Result<Vec<RequestedAction>, FlowError> {
    step.actions
        .iter()
        .enumerate()
        .map(|(index, action)| {
            let template = action.template(&values.position.locale).ok_or_else(|| {
                FlowError::Plan(format!("step {} has an action without words", step.name))
            })?;
            let json = template.render_json(|variable| values.value(variable));
            let mut written: Written = serde_json::from_str(&json).map_err(|error| {
                FlowError::Plan(format!("step {}, action {}: {error}", step.name, index + 1))
            })?;
            let named = ["CallId", "ParticipantTag"]
                .iter()
                .any(|key| written.parameters.contains_key(*key));
            if let Some(leg) = leg.filter(|_| !named) {
                written
                    .parameters
                    .insert("ParticipantTag".to_owned(), Value::from(leg.as_str()));
            }
            requested(index, written.name, written.parameters)
                .map_err(|error| FlowError::Plan(format!("step {}: {error}", step.name)))
        })
        .collect()
}

/// Hangs a leg up.
pub(super) fn hangup(
    index: usize,
    tag: &ParticipantTag,
    code: u16,
) -> Result<RequestedAction, FlowError> {
    let mut parameters = Map::new();
    parameters.insert("ParticipantTag".to_owned(), Value::from(tag.as_str()));
    parameters.insert("SipResponseCode".to_owned(), Value::from(code));
    requested(index, "Hangup".to_owned(), parameters)
        .map_err(|error| FlowError::Plan(error.to_string()))
}

/// Says the plan's words for a flow that failed.
pub(super) fn apology(
    plan: &Plan<'_>,
    values: &Values<'_, '_>,
) -> Result<RequestedAction, FlowError> {
    let locale = &values.position.locale;
    let text = plan
        .text(locale, TextKey::FlowFailed)?
        .render(|variable| values.value(variable));
    let mut parameters = Map::new();
    parameters.insert("Text".to_owned(), Value::from(text));
    parameters.insert(
        "ParticipantTag".to_owned(),
        Value::from(ParticipantTag::LegA.as_str()),
    );
    if locale != "en-US" {
        parameters.insert("LanguageCode".to_owned(), Value::from(locale.as_str()));
    }
    requested(0, "Speak".to_owned(), parameters).map_err(|error| FlowError::Plan(error.to_string()))
}

fn requested(
    index: usize,
    name: String,
    parameters: Map<String, Value>,
) -> Result<RequestedAction, ActionError> {
    let action = Action::parse(index, &name, &parameters)?;
    Ok(RequestedAction {
        name,
        parameters,
        checked: Ok(action),
    })
}
