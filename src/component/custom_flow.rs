//! `skillcall:flow/custom-flow`: an event in the plug-in's types, and its actions in the wire's.

use serde_json::{Map, Value};
use skillcall_protocol::sma::event::{Direction, ParticipantStatus};
use skillcall_protocol::sma::{
    Action, ActionData, CallDetails, Event, InvocationEventType, Participant, RequestedAction,
};

use super::bindings::skillcall::flow::custom_flow as wit;

#[path = "actions.rs"]
mod actions;

/// Asks the plug-in.
///
/// # Errors
/// The event contradicts itself, or an action is not what it must be; says where.
pub(super) fn decide(event: &Event) -> Result<Option<Vec<RequestedAction>>, String> {
    let Some(actions) = wit::decide(&to_wit(event)?) else {
        return Ok(None);
    };
    let taken = |(place, action)| actions::from_wit(place, action).map(RequestedAction::from);
    let taken: Result<Vec<_>, _> = actions.into_iter().enumerate().map(taken).collect();
    taken.map(Some)
}

fn to_wit(event: &Event) -> Result<wit::Event, String> {
    Ok(wit::Event {
        sequence: event.sequence,
        call: details(&event.call_details),
        what: happening(event)?,
    })
}

fn happening(event: &Event) -> Result<wit::Happening, String> {
    use InvocationEventType as T;
    use wit::Happening as H;
    let data = || {
        event
            .action_data
            .as_ref()
            .ok_or_else(|| format!("{} has no ActionData", event.invocation_event_type))
    };
    Ok(match &event.invocation_event_type {
        T::NewInboundCall => H::NewInboundCall,
        T::NewOutboundCall => H::NewOutboundCall(arguments(data()?)),
        T::Ringing => H::Ringing,
        T::CallAnswered => H::CallAnswered,
        T::ActionSuccessful => H::ActionSuccessful(wit::ActionSuccess {
            action: action(data()?),
            outcome: outcome(data()?),
        }),
        T::ActionFailed => {
            let (kind, text) = data()?.failure().unzip();
            H::ActionFailed(wit::ActionFailure {
                action: action(data()?),
                fault: wit::Fault {
                    error_type: kind.map(|kind| kind.to_string()).unwrap_or_default(),
                    message: text.unwrap_or_default().to_owned(),
                },
            })
        }
        T::ActionInterrupted => H::ActionInterrupted(action(data()?)),
        T::DigitsReceived => H::DigitsReceived(wit::DigitsReceived {
            digits: data()?.received_digits.clone().unwrap_or_default(),
            action: action(data()?),
        }),
        T::CallUpdateRequested => H::CallUpdateRequested(arguments(data()?)),
        T::Hangup => H::Hangup(leg_end(event)),
        T::InvalidLambdaResponse => H::InvalidLambdaResponse(wit::Fault {
            error_type: event
                .error_type
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            message: event.error_message.clone().unwrap_or_default(),
        }),
        T::Other(_) => H::Other(serde_json::to_string(event).map_err(|error| error.to_string())?),
    })
}

fn details(call: &CallDetails) -> wit::CallDetails {
    let told = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    wit::CallDetails {
        transaction_id: call.transaction_id.as_str().to_owned(),
        transaction_attributes: call
            .transaction_attributes
            .iter()
            .flatten()
            .map(|(name, value)| pair(name, value))
            .collect(),
        account_id: told(&call.aws_account_id),
        region: told(&call.aws_region),
        sip_rule_id: call.sip_rule_id.clone(),
        sip_media_application_id: told(&call.sip_media_application_id),
        participants: call.participants.iter().map(participant).collect(),
    }
}

fn participant(leg: &Participant) -> wit::Participant {
    wit::Participant {
        call_id: leg.call_id.as_str().to_owned(),
        tag: actions::tag(&leg.participant_tag),
        called: leg.to.clone(),
        caller: leg.from.clone(),
        direction: match leg.direction {
            Direction::Inbound => wit::Direction::Inbound,
            Direction::Outbound => wit::Direction::Outbound,
        },
        start_ms: leg.start_time_in_milliseconds.parse().ok(),
        status: leg.status.map(|status| match status {
            ParticipantStatus::Connected => wit::Status::Connected,
            ParticipantStatus::Disconnected => wit::Status::Disconnected,
        }),
        sip_headers: leg
            .sip_headers
            .iter()
            .flat_map(|headers| headers.iter())
            .map(|(name, value)| pair(name, value))
            .collect(),
    }
}

fn pair(name: &str, value: &str) -> wit::Pair {
    wit::Pair {
        name: name.to_owned(),
        value: value.to_owned(),
    }
}

fn arguments(data: &ActionData) -> Vec<wit::Pair> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    data.parameters
        .get("Arguments")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, value)| pair(name, &text(value)))
        .collect()
}

/// The action as it was run; one that no longer passes the checks goes as JSON.
fn action(data: &ActionData) -> wit::Action {
    let mut parameters: Map<String, Value> = data.parameters.clone();
    if data.kind == "CallAndBridge" {
        // Facts L: the events add the leg's CallId; the record has no place for it.
        parameters.remove("CallId");
    }
    actions::to_wit(&RequestedAction {
        name: data.kind.clone(),
        checked: Action::parse(0, &data.kind, &parameters),
        parameters,
    })
}

fn outcome(data: &ActionData) -> wit::Outcome {
    if let Some(digits) = &data.received_digits {
        return wit::Outcome::Digits(digits.clone());
    }
    if let Some(stored) = &data.recording_destination {
        return wit::Outcome::Recorded(wit::Recording {
            bucket: stored.bucket_name.clone(),
            key: stored.key.clone(),
            terminator: data.recording_terminator_used.clone(),
        });
    }
    if let Some(stored) = &data.call_recording_destination {
        return wit::Outcome::CallRecording(stored.location.clone());
    }
    if let Some(intent) = &data.intent_result {
        return wit::Outcome::Intent(intent.to_string());
    }
    let call_id = data.parameters.get("CallId").and_then(Value::as_str);
    match (data.kind.as_str(), call_id) {
        ("CallAndBridge", Some(id)) => wit::Outcome::Bridged(id.to_owned()),
        _ => wit::Outcome::Done,
    }
}

fn leg_end(event: &Event) -> wit::LegEnd {
    let leg = event.triggering_leg();
    let code = event
        .action_data
        .as_ref()
        .and_then(|data| data.parameters.get("SipResponseCode"))
        .and_then(|code| match code {
            Value::String(text) => text.parse().ok(),
            other => other.as_u64().and_then(|code| u16::try_from(code).ok()),
        });
    wit::LegEnd {
        call_id: leg
            .map(|leg| leg.call_id.as_str().to_owned())
            .unwrap_or_default(),
        tag: leg.map_or(wit::ParticipantTag::LegA, |leg| {
            actions::tag(&leg.participant_tag)
        }),
        sip_response_code: code,
    }
}
