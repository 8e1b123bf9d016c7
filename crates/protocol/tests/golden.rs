//! The shapes of the facts, read and written again without loss; and requests that have only what they must have.

use std::path::Path;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use skillcall_protocol::alexa::{
    Envelope, GrantAnswer, Kind, ResponseEnvelope, SPEECH_MAX_CHARS, WHOLE_MAX_BYTES,
};
use skillcall_protocol::communication::StartSession;
use skillcall_protocol::signaling::Message;
use skillcall_protocol::sma::Event;
use skillcall_protocol::trace::{Record, find};

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn again<T: Serialize + DeserializeOwned>(value: Value) -> T {
    let read: T =
        serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"));
    assert_eq!(serde_json::to_value(&read).unwrap(), value);
    read
}

#[test]
fn an_intent_request_comes_back_whole() {
    let text = file("alexa-intent-request.json");
    let envelope: Envelope = again(serde_json::from_str(&text).unwrap());
    assert_eq!(Envelope::read(text.as_bytes()).unwrap(), envelope);
    let Kind::Intent(intent) = envelope.request.kind() else {
        panic!("{:?}", envelope.request)
    };
    let found: Vec<_> = intent.slots["who"]
        .matches()
        .filter_map(|value| value.id.as_deref())
        .collect();
    assert_eq!(
        (intent.name.as_str(), found),
        ("CallIntent", vec!["FRONT_DESK"])
    );
    assert_eq!(intent.slots["when"].matches().count(), 0);
    let debug = format!("{envelope:?}");
    for secret in [
        "linked-account-token",
        "consent-token",
        "speaker-token",
        "eyJhbGci",
        "amzn1.ask.account.GUEST",
    ] {
        assert!(!debug.contains(secret), "{secret} in {debug}");
    }
}

#[test]
fn each_request_type_is_known_by_its_name_alone() {
    let kinds = [
        ("LaunchRequest", Kind::Launch),
        ("SessionEndedRequest", Kind::SessionEnded),
        ("SessionResumedRequest", Kind::SessionResumed),
        ("Connections.Request", Kind::ConnectionsRequest),
        ("Connections.Response", Kind::ConnectionsResponse),
        ("Messaging.MessageReceived", Kind::MessageReceived),
        ("System.ExceptionEncountered", Kind::ExceptionEncountered),
        ("Alexa.Authorization.Grant", Kind::AuthorizationGrant),
        (
            "AlexaSkillEvent.SkillEnabled",
            Kind::SkillEvent("SkillEnabled"),
        ),
        (
            "AlexaSkillEvent.SkillAccountLinked",
            Kind::SkillEvent("SkillAccountLinked"),
        ),
        (
            "Alexa.Comms.CallSignaling.CallEnded",
            Kind::CallSignaling("CallEnded"),
        ),
        (
            "AudioPlayer.PlaybackStarted",
            Kind::Other("AudioPlayer.PlaybackStarted"),
        ),
        ("IntentRequest", Kind::Other("IntentRequest")),
        (
            "CanFulfillIntentRequest",
            Kind::Other("CanFulfillIntentRequest"),
        ),
        ("", Kind::Other("")),
    ];
    for (name, kind) in kinds {
        let body =
            json!({ "request": { "type": name, "requestId": "r", "extra": { "kept": true } } });
        let envelope = Envelope::read(body.to_string().as_bytes()).unwrap();
        assert_eq!(envelope.request.kind(), kind, "{name}");
        assert_eq!(envelope.request.more["extra"], json!({ "kept": true }));
        assert!(envelope.session.is_none() && envelope.skill_id().is_none());
    }
}

#[test]
fn what_is_no_request_is_refused_by_name() {
    for (body, named) in [
        (r#"{}"#, "request"),
        (r#"{"request":{"requestId":"r"}}"#, "type"),
        (r#"{"request":{"type":"LaunchRequest"}}"#, "requestId"),
        (
            r#"{"request":{"type":"LaunchRequest","requestId":""}}"#,
            "RequestId",
        ),
        (
            r#"{"request":{"type":"LaunchRequest","requestId":"r","requestId":"s"}}"#,
            "requestId",
        ),
        (r#"{"request":{"type":1,"requestId":"r"}}"#, "string"),
        (r#"{"request":[]}"#, "request"),
        (
            r#"{"context":[],"request":{"type":"","requestId":"r"}}"#,
            "context",
        ),
        (r#"["#, "line 1"),
    ] {
        let error = Envelope::read(body.as_bytes()).unwrap_err().to_string();
        assert!(
            error.to_lowercase().contains(&named.to_lowercase()),
            "{body}: {error}"
        );
    }
}

#[test]
fn responses_come_back_whole() {
    let responses: Vec<Value> = serde_json::from_str(&file("alexa-responses.json")).unwrap();
    let read: Vec<ResponseEnvelope> = responses.into_iter().map(again).collect();
    let ends: Vec<_> = read
        .iter()
        .map(|envelope| envelope.response.should_end_session)
        .collect();
    assert_eq!(
        ends,
        [Some(true), Some(false), Some(true), None, None, None]
    );
    assert_eq!((SPEECH_MAX_CHARS, WHOLE_MAX_BYTES), (8000, 24 * 1024));
}

#[test]
fn each_request_and_reply_of_the_corpus_comes_back_whole() {
    let cases: Vec<Value> = serde_json::from_str(&file("skill-requests.json")).unwrap();
    assert!(cases.len() > 40);
    for case in cases {
        assert!(case["facts"].is_string() && case["what"].is_string());
        let envelope: Envelope = again(case["request"].clone());
        assert_eq!(
            envelope.request.type_name.as_str(),
            case["request"]["request"]["type"]
        );
        if case["reply"]["response"].is_object() {
            let mut reply: ResponseEnvelope = again(case["reply"].clone());
            assert!(reply.keep_within_limits().is_empty(), "{}", case["what"]);
        } else {
            let _: GrantAnswer = again(case["reply"].clone());
        }
    }
}

/// The same with a member in each object that no version knows.
fn with_unknown_members(value: &Value) -> Value {
    match value {
        Value::Array(list) => list.iter().map(with_unknown_members).collect(),
        Value::Object(map) => {
            let mut map: serde_json::Map<String, Value> = map
                .iter()
                .map(|(name, value)| {
                    // The members of `slots` are slots, whatever they are called.
                    let value = match (name.as_str(), value) {
                        ("slots", Value::Object(slots)) => slots
                            .iter()
                            .map(|(name, slot)| (name.clone(), with_unknown_members(slot)))
                            .collect(),
                        _ => with_unknown_members(value),
                    };
                    (name.clone(), value)
                })
                .collect();
            map.insert("ofTomorrow".to_owned(), json!({"a": [1, null, "b"]}));
            Value::Object(map)
        }
        other => other.clone(),
    }
}

#[test]
fn nothing_that_is_unknown_is_lost() {
    let cases: Vec<Value> = serde_json::from_str(&file("skill-requests.json")).unwrap();
    let whole: Value = serde_json::from_str(&file("alexa-intent-request.json")).unwrap();
    for request in cases.iter().map(|case| &case["request"]).chain([&whole]) {
        let request = with_unknown_members(request);
        let envelope: Envelope = again(request.clone());
        assert!(envelope.more.contains_key("ofTomorrow"), "{request}");
    }
}

#[test]
fn session_requests_come_back_whole_and_are_valid() {
    let requests: Vec<Value> = serde_json::from_str(&file("start-sessions.json")).unwrap();
    for request in requests {
        let request: StartSession = again(request);
        request.validate().unwrap();
    }
}

/// The events that the sidecar's engine is compared with, one by one.
#[test]
fn events_of_the_sip_media_application_come_back_whole() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/sma");
    let mut kinds = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let event: Event = again(serde_json::from_str(&text).unwrap());
        kinds.insert(event.invocation_event_type.to_string());
    }
    let all = [
        "ACTION_FAILED",
        "ACTION_INTERRUPTED",
        "ACTION_SUCCESSFUL",
        "CALL_ANSWERED",
        "CALL_UPDATE_REQUESTED",
        "DIGITS_RECEIVED",
        "HANGUP",
        "INVALID_LAMBDA_RESPONSE",
        "NEW_INBOUND_CALL",
        "NEW_OUTBOUND_CALL",
        "RINGING",
    ];
    assert_eq!(kinds, all.map(str::to_owned).into());
}

#[test]
fn the_trace_schema_is_what_was_written() {
    let records: Vec<Record> = file("trace.jsonl")
        .lines()
        .map(|line| {
            let record: Record = serde_json::from_str(line).unwrap();
            let written: Value = serde_json::from_str(&record.to_line()).unwrap();
            let mut golden: Value = serde_json::from_str(line).unwrap();
            // An empty list of calls is not written.
            if golden["ids"]["call"] == json!([]) {
                golden["ids"].as_object_mut().unwrap().remove("call");
            }
            assert_eq!(written, golden);
            record
        })
        .collect();
    for id in [
        "amzn1.echo-api.request.1",
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "session-1",
        "7c2f0000-1234-4234-8234-123456789012",
    ] {
        assert_eq!(find(&records, id).records.len(), 8, "{id}");
    }
}

#[test]
fn messages_of_call_signaling_come_back_whole() {
    let cases: Vec<Value> = serde_json::from_str(&file("signaling.json")).unwrap();
    for case in cases {
        assert!(case["facts"].is_string() && case["what"].is_string());
        let _: Message = again(case["message"].clone());
    }
}
