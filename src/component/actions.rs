//! Actions: records and variants on one side, the wire's types on the other.
//!
//! Compiled twice: for the types of `skillcall:skill/call-flow` and for those of `skillcall:flow/custom-flow`, which are
//! the same word for word, and two types each to the generated bindings. The parent module says which are meant.

use serde_json::{Map, Value, json};
use skillcall_protocol::sma::action::{
    self as wire, Action as WireAction, AttendeeOperation, BridgeEndpoint, DigitRules, DigitSet,
    LegSelector, S3Object, SpeechParameters,
};
use skillcall_protocol::sma::{CallId, ParticipantTag as WireTag, RequestedAction};

use super::wit;

/// An action of the typed interface as the wire has it. What it gives is checked like any action; only `other` may hold
/// what this version does not know.
pub(super) fn from_wit(index: usize, action: wit::Action) -> Result<WireAction, String> {
    use wit::Action as A;
    let (name, parameters) = match action {
        A::CallAndBridge(a) => ("CallAndBridge", {
            let endpoints: Vec<Value> = a.endpoints.into_iter().map(endpoint_json).collect();
            let mut map =
                object(json!({"CallerIdNumber": a.caller_id_number, "Endpoints": endpoints}));
            put(&mut map, "CallTimeoutSeconds", a.timeout_seconds);
            put(&mut map, "RingbackTone", a.ringback_tone.map(object_json));
            if !a.sip_headers.is_empty() {
                let headers: Map<_, _> = a
                    .sip_headers
                    .into_iter()
                    .map(|pair| (pair.name, pair.value.into()))
                    .collect();
                map.insert("SipHeaders".into(), headers.into());
            }
            map
        }),
        A::Hangup(a) => ("Hangup", {
            let mut map = leg_json(a.leg);
            put(&mut map, "SipResponseCode", a.sip_response_code);
            map
        }),
        A::JoinChimeMeeting(a) => ("JoinChimeMeeting", {
            let mut map = leg_json(a.leg);
            map.insert("JoinToken".into(), a.join_token.into());
            put(&mut map, "MeetingId", a.meeting_id);
            map
        }),
        A::ModifyChimeMeetingAttendees(a) => ("ModifyChimeMeetingAttendees", {
            let mut map = leg_json(a.leg);
            let operation = match a.operation {
                wit::AttendeesOperation::Mute => "Mute",
                wit::AttendeesOperation::Unmute => "Unmute",
            };
            map.insert("Operation".into(), operation.into());
            map.insert("MeetingId".into(), a.meeting_id.into());
            map.insert("AttendeeList".into(), a.attendees.into());
            map
        }),
        A::Pause(a) => ("Pause", {
            let mut map = leg_json(a.leg);
            map.insert("DurationInMilliseconds".into(), a.duration_ms.into());
            map
        }),
        A::PlayAudio(a) => ("PlayAudio", {
            let mut map = leg_json(a.leg);
            map.insert("AudioSource".into(), object_json(a.source));
            put_list(&mut map, "PlaybackTerminators", a.terminators);
            put(&mut map, "Repeat", a.repeat);
            map
        }),
        A::PlayAudioAndGetDigits(a) => ("PlayAudioAndGetDigits", {
            let mut map = leg_json(a.leg);
            map.insert("AudioSource".into(), object_json(a.source));
            map.insert("FailureAudioSource".into(), object_json(a.failure_source));
            digits_json(&mut map, a.digits);
            map
        }),
        A::ReceiveDigits(a) => ("ReceiveDigits", {
            let mut map = leg_json(a.leg);
            map.insert("InputDigitsRegex".into(), a.input_regex.into());
            map.insert(
                "InBetweenDigitsDurationInMilliseconds".into(),
                a.in_between_ms.into(),
            );
            map.insert(
                "FlushDigitsDurationInMilliseconds".into(),
                a.flush_ms.into(),
            );
            map
        }),
        A::RecordAudio(a) => ("RecordAudio", {
            let mut map = leg_json(a.leg);
            let mut destination = object(json!({"Type": "S3", "BucketName": a.bucket}));
            put(&mut destination, "Prefix", a.prefix);
            map.insert("RecordingDestination".into(), destination.into());
            map.insert("RecordingTerminators".into(), a.terminators.into());
            put(&mut map, "DurationInSeconds", a.duration_seconds);
            put(&mut map, "SilenceDurationInSeconds", a.silence_seconds);
            put(&mut map, "SilenceThreshold", a.silence_threshold);
            map
        }),
        A::SendDigits(a) => ("SendDigits", {
            let mut map = object(json!({"CallId": a.call_id, "Digits": a.digits}));
            put(&mut map, "ToneDurationInMilliseconds", a.tone_duration_ms);
            map
        }),
        A::Speak(a) => ("Speak", {
            let mut map = leg_json(a.leg);
            map.extend(speech_json(a.speech));
            map
        }),
        A::SpeakAndGetDigits(a) => ("SpeakAndGetDigits", {
            let mut map = leg_json(a.leg);
            map.insert("SpeechParameters".into(), speech_json(a.speech).into());
            put(
                &mut map,
                "FailureSpeechParameters",
                a.failure_speech
                    .map(|speech| Value::from(speech_json(speech))),
            );
            digits_json(&mut map, a.digits);
            map
        }),
        A::StartBotConversation(a) => ("StartBotConversation", {
            let mut map = leg_json(a.leg);
            map.insert("BotAliasArn".into(), a.bot_alias_arn.into());
            put(&mut map, "LocaleId", a.locale_id);
            if let Some(configuration) = a.configuration {
                map.insert(
                    "Configuration".into(),
                    parsed("configuration", &configuration)?,
                );
            }
            map
        }),
        A::StartCallRecording(a) => ("StartCallRecording", {
            let track = match a.track {
                wit::Track::Both => "BOTH",
                wit::Track::Incoming => "INCOMING",
                wit::Track::Outgoing => "OUTGOING",
            };
            object(
                json!({"CallId": a.call_id, "Track": track, "Destination": {"Type": "S3", "Location": a.location}}),
            )
        }),
        A::StopCallRecording(id) => ("StopCallRecording", object(json!({"CallId": id}))),
        A::PauseCallRecording(id) => ("PauseCallRecording", object(json!({"CallId": id}))),
        A::ResumeCallRecording(id) => ("ResumeCallRecording", object(json!({"CallId": id}))),
        A::VoiceFocus(a) => (
            "VoiceFocus",
            object(json!({"CallId": a.call_id, "Enable": a.enable})),
        ),
        A::Other(json) => {
            let value = parsed("other", &json)?;
            let name = value
                .get("Type")
                .and_then(Value::as_str)
                .ok_or("other: the action has no Type")?;
            let parameters = value
                .get("Parameters")
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default();
            return WireAction::parse(index, name, &parameters).map_err(|error| error.to_string());
        }
    };
    WireAction::parse(index, name, &parameters).map_err(|error| error.to_string())
}

/// An action of a reply as the typed interface has it. What its records have no place for goes as JSON.
pub(super) fn to_wit(requested: &RequestedAction) -> wit::Action {
    let typed = match &requested.checked {
        Ok(action) => typed(action),
        Err(_) => None,
    };
    typed.unwrap_or_else(|| {
        wit::Action::Other(
            json!({"Type": requested.name, "Parameters": requested.parameters}).to_string(),
        )
    })
}

fn typed(action: &WireAction) -> Option<wit::Action> {
    use WireAction as W;
    Some(match action {
        // The record has no place for a leg: the action is always leg A's.
        W::CallAndBridge(a) if a.leg == LegSelector::default() => {
            wit::Action::CallAndBridge(wit::CallAndBridge {
                timeout_seconds: a.call_timeout_seconds,
                caller_id_number: a.caller_id_number.clone(),
                endpoints: a.endpoints.iter().map(endpoint).collect::<Option<_>>()?,
                ringback_tone: a.ringback_tone.as_ref().map(s3),
                sip_headers: a
                    .sip_headers
                    .iter()
                    .map(|(name, value)| wit::Pair {
                        name: name.to_owned(),
                        value: value.to_owned(),
                    })
                    .collect(),
            })
        }
        W::Hangup(a) => wit::Action::Hangup(wit::Hangup {
            leg: leg(&a.leg),
            sip_response_code: Some(a.sip_response_code.code()),
        }),
        W::JoinChimeMeeting(a) => wit::Action::JoinChimeMeeting(wit::JoinChimeMeeting {
            join_token: a.join_token.clone(),
            leg: leg(&a.leg),
            meeting_id: a.meeting_id.clone(),
        }),
        W::ModifyChimeMeetingAttendees(a) => {
            wit::Action::ModifyChimeMeetingAttendees(wit::ModifyChimeMeetingAttendees {
                operation: match a.operation {
                    AttendeeOperation::Mute => wit::AttendeesOperation::Mute,
                    AttendeeOperation::Unmute => wit::AttendeesOperation::Unmute,
                },
                meeting_id: a.meeting_id.clone(),
                leg: leg(&a.leg),
                attendees: a.attendee_list.clone(),
            })
        }
        W::Pause(a) => wit::Action::Pause(wit::Pause {
            leg: leg(&a.leg),
            duration_ms: a.duration_in_milliseconds,
        }),
        W::PlayAudio(a) => wit::Action::PlayAudio(wit::PlayAudio {
            leg: leg(&a.leg),
            source: s3(&a.audio_source),
            terminators: keys(&a.playback_terminators),
            repeat: a.repeat,
        }),
        W::PlayAudioAndGetDigits(a) => {
            wit::Action::PlayAudioAndGetDigits(wit::PlayAudioAndGetDigits {
                leg: leg(&a.leg),
                source: s3(&a.audio_source),
                failure_source: s3(&a.failure_audio_source),
                digits: digits(&a.rules),
            })
        }
        W::ReceiveDigits(a) => wit::Action::ReceiveDigits(wit::ReceiveDigits {
            leg: leg(&a.leg),
            input_regex: a.input_digits_regex.clone(),
            in_between_ms: a.in_between_digits_duration_in_milliseconds,
            flush_ms: a.flush_digits_duration_in_milliseconds,
        }),
        W::RecordAudio(a) => wit::Action::RecordAudio(wit::RecordAudio {
            leg: leg(&a.leg),
            duration_seconds: a.duration_in_seconds,
            silence_seconds: a.silence_duration_in_seconds,
            silence_threshold: a.silence_threshold,
            terminators: keys(&a.recording_terminators),
            bucket: a.recording_destination.bucket_name.clone(),
            prefix: a.recording_destination.prefix.clone(),
        }),
        W::SendDigits(a) => wit::Action::SendDigits(wit::SendDigits {
            call_id: call_id(&a.leg)?,
            digits: a.digits.clone(),
            tone_duration_ms: a.tone_duration_in_milliseconds,
        }),
        W::Speak(a) => wit::Action::Speak(wit::Speak {
            leg: leg(&a.leg),
            speech: speech(&a.speech),
        }),
        W::SpeakAndGetDigits(a) => wit::Action::SpeakAndGetDigits(wit::SpeakAndGetDigits {
            leg: leg(&a.leg),
            speech: speech(&a.speech_parameters),
            failure_speech: a.failure_speech_parameters.as_ref().map(speech),
            digits: digits(&a.rules),
        }),
        W::StartBotConversation(a) => {
            wit::Action::StartBotConversation(wit::StartBotConversation {
                leg: leg(&a.leg),
                bot_alias_arn: a.bot_alias_arn.clone(),
                locale_id: a.locale_id.clone(),
                configuration: action
                    .parameters()
                    .get("Configuration")
                    .map(Value::to_string),
            })
        }
        W::StartCallRecording(a) => wit::Action::StartCallRecording(wit::StartCallRecording {
            call_id: call_id(&a.leg)?,
            track: match a.track {
                wire::Track::Both => wit::Track::Both,
                wire::Track::Incoming => wit::Track::Incoming,
                wire::Track::Outgoing => wit::Track::Outgoing,
            },
            location: a.destination.location(),
        }),
        W::StopCallRecording(a) => wit::Action::StopCallRecording(call_id(&a.leg)?),
        W::PauseCallRecording(a) => wit::Action::PauseCallRecording(call_id(&a.leg)?),
        W::ResumeCallRecording(a) => wit::Action::ResumeCallRecording(call_id(&a.leg)?),
        W::VoiceFocus(a) => wit::Action::VoiceFocus(wit::VoiceFocus {
            call_id: call_id(&a.leg)?,
            enable: a.enable,
        }),
        W::CallAndBridge(_) | W::Other(..) => return None,
    })
}

pub(super) fn tag_from_wit(tag: wit::ParticipantTag) -> WireTag {
    match tag {
        wit::ParticipantTag::LegA => WireTag::LegA,
        wit::ParticipantTag::LegB => WireTag::LegB,
        wit::ParticipantTag::Other(tag) => WireTag::Other(tag),
    }
}

pub(super) fn tag(tag: &WireTag) -> wit::ParticipantTag {
    match tag {
        WireTag::LegA => wit::ParticipantTag::LegA,
        WireTag::LegB => wit::ParticipantTag::LegB,
        WireTag::Other(tag) => wit::ParticipantTag::Other(tag.clone()),
    }
}

pub(super) fn parsed(what: &str, text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("{what}: {error}"))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn put(map: &mut Map<String, Value>, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        map.insert(key.to_owned(), value.into());
    }
}

fn put_list(map: &mut Map<String, Value>, key: &str, list: Vec<String>) {
    if !list.is_empty() {
        map.insert(key.to_owned(), list.into());
    }
}

fn leg_json(leg: Option<wit::Leg>) -> Map<String, Value> {
    let mut map = Map::new();
    match leg {
        None => {}
        Some(wit::Leg::CallId(id)) => put(&mut map, "CallId", Some(id)),
        Some(wit::Leg::Tag(tag)) => {
            put(&mut map, "ParticipantTag", Some(tag_from_wit(tag).as_str()))
        }
    }
    map
}

fn leg(selector: &LegSelector) -> Option<wit::Leg> {
    match (&selector.call_id, &selector.participant_tag) {
        (Some(id), _) => Some(wit::Leg::CallId(id.as_str().to_owned())),
        (None, Some(known)) => Some(wit::Leg::Tag(tag(known))),
        (None, None) => None,
    }
}

fn call_id(selector: &LegSelector) -> Option<String> {
    selector
        .call_id
        .as_ref()
        .map(CallId::as_str)
        .map(str::to_owned)
}

fn object_json(object: wit::Object) -> Value {
    json!({"Type": "S3", "BucketName": object.bucket, "Key": object.key})
}

fn s3(object: &S3Object) -> wit::Object {
    wit::Object {
        bucket: object.bucket_name.clone(),
        key: object.key.clone(),
    }
}

fn endpoint_json(endpoint: wit::Endpoint) -> Value {
    match endpoint {
        wit::Endpoint::Pstn(uri) => json!({"BridgeEndpointType": "PSTN", "Uri": uri}),
        wit::Endpoint::Aws(connector) => {
            json!({"BridgeEndpointType": "AWS", "Uri": connector.uri, "Arn": connector.arn})
        }
        wit::Endpoint::Other(other) => {
            json!({"BridgeEndpointType": other.endpoint_type, "Uri": other.uri, "Arn": other.arn})
        }
    }
}

fn endpoint(endpoint: &BridgeEndpoint) -> Option<wit::Endpoint> {
    Some(match endpoint {
        BridgeEndpoint::Pstn { uri } => wit::Endpoint::Pstn(uri.clone()),
        BridgeEndpoint::Aws {
            uri,
            arn: Some(arn),
        } => wit::Endpoint::Aws(wit::VoiceConnector {
            uri: uri.clone(),
            arn: arn.clone(),
        }),
        BridgeEndpoint::Aws { uri, arn: None } => wit::Endpoint::Other(wit::OtherEndpoint {
            endpoint_type: "AWS".to_owned(),
            uri: uri.clone(),
            arn: None,
        }),
    })
}

fn keys(set: &DigitSet) -> Vec<String> {
    set.iter()
        .map(|digit| digit.as_char().to_string())
        .collect()
}

fn digits_json(map: &mut Map<String, Value>, digits: wit::Digits) {
    map.insert(
        "RepeatDurationInMilliseconds".into(),
        digits.repeat_duration_ms.into(),
    );
    put(map, "InputDigitsRegex", digits.input_regex);
    put(map, "MinNumberOfDigits", digits.min);
    put(map, "MaxNumberOfDigits", digits.max);
    put(
        map,
        "InBetweenDigitsDurationInMilliseconds",
        digits.in_between_ms,
    );
    put(map, "Repeat", digits.repeat);
    put_list(map, "TerminatorDigits", digits.terminators);
}

fn digits(rules: &DigitRules) -> wit::Digits {
    wit::Digits {
        input_regex: rules.input_digits_regex.clone(),
        min: rules.min_number_of_digits,
        max: rules.max_number_of_digits,
        terminators: rules
            .terminator_digits
            .as_ref()
            .map(keys)
            .unwrap_or_default(),
        in_between_ms: rules.in_between_digits_duration_in_milliseconds,
        repeat: rules.repeat,
        repeat_duration_ms: rules.repeat_duration_in_milliseconds,
    }
}

fn speech_json(speech: wit::Speech) -> Map<String, Value> {
    let mut map = object(json!({"Text": speech.text}));
    put(&mut map, "Engine", speech.engine);
    put(&mut map, "LanguageCode", speech.language_code);
    put(&mut map, "TextType", speech.text_type);
    put(&mut map, "VoiceId", speech.voice_id);
    map
}

fn speech(speech: &SpeechParameters) -> wit::Speech {
    wit::Speech {
        text: speech.text.clone(),
        engine: speech.engine.map(|engine| {
            match engine {
                wire::Engine::Standard => "standard",
                wire::Engine::Neural => "neural",
            }
            .to_owned()
        }),
        language_code: speech.language_code.clone(),
        text_type: speech.text_type.map(|kind| {
            match kind {
                wire::TextType::Text => "text",
                wire::TextType::Ssml => "ssml",
            }
            .to_owned()
        }),
        voice_id: speech.voice_id.clone(),
    }
}
