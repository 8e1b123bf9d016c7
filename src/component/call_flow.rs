//! `skillcall:skill/call-flow`: the call's decisions in types.

use serde_json::{Map, Value};
use skillcall_protocol::sma::event::{
    Direction, ParticipantStatus, StoredCallRecording, StoredRecording,
};
use skillcall_protocol::sma::{
    ActionData, AttributeUpdate, CallDetails, CallId, ErrorType, Event, InvocationEventType,
    Participant, Reply, SipHeaders, TransactionId,
};

use super::Skill;
use super::bindings::exports::skillcall::skill::call_flow as wit;
use super::outside::Outside;
use crate::http;
use crate::settings::{Settings, SettingsError};
use crate::trace::Recorder;

#[path = "actions.rs"]
mod actions;

impl wit::Guest for Skill {
    fn decide(event: wit::Event) -> Result<wit::Reply, wit::FlowError> {
        let host = Outside;
        let settings = Settings::load(&host).map_err(|error| match error {
            SettingsError::Missing(names) => wit::FlowError::MissingSetting(
                names.first().copied().unwrap_or_default().to_owned(),
            ),
            SettingsError::Wrong {
                name: "plan",
                problem,
            } => wit::FlowError::BadPlan(problem),
            other => wit::FlowError::Host(other.to_string()),
        })?;
        let event = from_wit(event).map_err(wit::FlowError::BadEvent)?;
        let plan = settings.plan().map_err(wit::FlowError::BadPlan)?;
        let recorder = Recorder::begin(&host, None);
        let decision = http::decide(&host, &settings, &recorder, &plan, &event).map_err(
            |error| match error {
                crate::flow::FlowError::Plan(why) => wit::FlowError::BadPlan(why),
                crate::flow::FlowError::Event(why) => wit::FlowError::BadEvent(why),
            },
        )?;
        recorder.aftermath(&host, &settings).post(&host);
        Ok(reply(&decision.reply))
    }
}

fn reply(reply: &Reply) -> wit::Reply {
    wit::Reply {
        actions: reply
            .actions
            .as_ref()
            .map(|actions| actions.iter().map(actions::to_wit).collect()),
        transaction_attributes: match &reply.transaction_attributes {
            AttributeUpdate::Keep => None,
            AttributeUpdate::Set(attributes) => Some(
                attributes
                    .iter()
                    .map(|(name, value)| wit::Pair {
                        name: name.clone(),
                        value: value.clone(),
                    })
                    .collect(),
            ),
        },
    }
}

fn from_wit(event: wit::Event) -> Result<Event, String> {
    use InvocationEventType as T;
    use wit::Happening as H;
    let call = details(event.call);
    let mut made = Event::new(event.sequence, T::NewInboundCall, call);
    let (kind, data) = match event.what {
        H::NewInboundCall => (T::NewInboundCall, None),
        H::NewOutboundCall(arguments) => (
            T::NewOutboundCall,
            Some(ActionData::new(
                "CallCreateRequest",
                with_arguments(arguments),
            )),
        ),
        H::Ringing => (T::Ringing, None),
        H::CallAnswered => (T::CallAnswered, None),
        H::ActionSuccessful(success) => {
            let mut data = action_data(success.action)?;
            outcome(&mut data, success.outcome)?;
            (T::ActionSuccessful, Some(data))
        }
        H::ActionFailed(failure) => {
            let mut data = action_data(failure.action)?;
            data.error_type = Some(ErrorType::from(failure.fault.error_type.as_str()));
            data.error_message = Some(failure.fault.message);
            (T::ActionFailed, Some(data))
        }
        H::ActionInterrupted(action) => (T::ActionInterrupted, Some(action_data(action)?)),
        H::DigitsReceived(received) => {
            let mut data = action_data(received.action)?;
            data.received_digits = Some(received.digits);
            (T::DigitsReceived, Some(data))
        }
        H::CallUpdateRequested(arguments) => (
            T::CallUpdateRequested,
            Some(ActionData::new(
                "CallUpdateRequest",
                with_arguments(arguments),
            )),
        ),
        H::Hangup(end) => {
            let mut parameters = Map::new();
            parameters.insert("CallId".to_owned(), end.call_id.into());
            parameters.insert(
                "ParticipantTag".to_owned(),
                actions::tag_from_wit(end.tag).as_str().into(),
            );
            if let Some(code) = end.sip_response_code {
                parameters.insert("SipResponseCode".to_owned(), code.into());
            }
            (T::Hangup, Some(ActionData::new("Hangup", parameters)))
        }
        H::InvalidLambdaResponse(fault) => {
            made.error_type = Some(ErrorType::from(fault.error_type.as_str()));
            made.error_message = Some(fault.message);
            (T::InvalidLambdaResponse, None)
        }
        H::Other(json) => {
            return serde_json::from_str(&json).map_err(|error| format!("other: {error}"));
        }
    };
    Ok(Event {
        invocation_event_type: kind,
        action_data: data,
        ..made
    })
}

fn details(call: wit::CallDetails) -> CallDetails {
    let attributes = call.transaction_attributes;
    CallDetails {
        transaction_id: TransactionId::new(call.transaction_id),
        transaction_attributes: (!attributes.is_empty()).then(|| {
            attributes
                .into_iter()
                .map(|pair| (pair.name, pair.value))
                .collect()
        }),
        aws_account_id: call.account_id.unwrap_or_default(),
        aws_region: call.region.unwrap_or_default(),
        sip_rule_id: call.sip_rule_id,
        sip_media_application_id: call.sip_media_application_id.unwrap_or_default(),
        participants: call.participants.into_iter().map(participant).collect(),
    }
}

fn participant(leg: wit::Participant) -> Participant {
    Participant {
        call_id: CallId::new(leg.call_id),
        participant_tag: actions::tag_from_wit(leg.tag),
        to: leg.called,
        from: leg.caller,
        direction: match leg.direction {
            wit::Direction::Inbound => Direction::Inbound,
            wit::Direction::Outbound => Direction::Outbound,
        },
        start_time_in_milliseconds: leg.start_ms.map(|ms| ms.to_string()).unwrap_or_default(),
        status: match leg.status {
            Some(wit::Status::Connected) => Some(ParticipantStatus::Connected),
            Some(wit::Status::Disconnected) => Some(ParticipantStatus::Disconnected),
            Some(wit::Status::Other(_)) | None => None,
        },
        sip_headers: (!leg.sip_headers.is_empty()).then(|| {
            leg.sip_headers
                .into_iter()
                .map(|pair| (pair.name, pair.value))
                .collect::<SipHeaders>()
        }),
    }
}

fn with_arguments(arguments: Vec<wit::Pair>) -> Map<String, Value> {
    let arguments: Map<_, _> = arguments
        .into_iter()
        .map(|pair| (pair.name, pair.value.into()))
        .collect();
    let mut parameters = Map::new();
    parameters.insert("Arguments".to_owned(), arguments.into());
    parameters
}

/// The action as it was run. What ran passed the checks once, so a failure names a mistake of the host.
fn action_data(action: wit::Action) -> Result<ActionData, String> {
    let action = actions::from_wit(0, action)?;
    match action.parameters() {
        Value::Object(parameters) => Ok(ActionData::new(action.name(), parameters)),
        other => Err(format!(
            "{}: found {other}; expected parameters",
            action.name()
        )),
    }
}

fn outcome(data: &mut ActionData, outcome: wit::Outcome) -> Result<(), String> {
    match outcome {
        wit::Outcome::Done => {}
        wit::Outcome::Bridged(call_id) => {
            data.parameters.insert("CallId".to_owned(), call_id.into());
        }
        wit::Outcome::Digits(digits) => data.received_digits = Some(digits),
        wit::Outcome::Recorded(recording) => {
            data.recording_terminator_used = recording.terminator;
            data.recording_destination = Some(StoredRecording {
                kind: "S3".to_owned(),
                bucket_name: recording.bucket,
                key: recording.key,
            });
        }
        wit::Outcome::CallRecording(location) => {
            data.call_recording_destination = Some(StoredCallRecording {
                kind: "S3".to_owned(),
                location,
            });
        }
        wit::Outcome::Intent(json) => data.intent_result = Some(actions::parsed("intent", &json)?),
    }
    Ok(())
}
