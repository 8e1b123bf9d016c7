use serde_json::{Value, json};

use super::*;
use crate::alexa::Envelope;
use crate::communication::IdType;
use crate::ids::SessionId;

const CORPUS: &str = include_str!("../../tests/golden/signaling.json");

fn corpus() -> Vec<Value> {
    serde_json::from_str(CORPUS).unwrap()
}

fn read(value: &Value) -> Result<Message, ParseError> {
    Message::read(value.to_string().as_bytes())
}

fn first(name: &str) -> Value {
    let wanted = format!("{TYPE_PREFIX}{name}");
    let found = corpus()
        .into_iter()
        .map(|case| case["message"].clone())
        .find(|message| message["type"] == *wanted);
    found.unwrap_or_else(|| panic!("the corpus has no {name}"))
}

#[test]
fn each_message_of_the_corpus_comes_back_whole_and_each_operation_is_there() {
    let mut seen = std::collections::BTreeSet::new();
    for case in corpus() {
        let message = read(&case["message"]).unwrap();
        assert_eq!(
            serde_json::to_value(&message).unwrap(),
            case["message"],
            "{case}"
        );
        assert_eq!(message.type_name(), case["message"]["type"]);
        let name = message.operation.name();
        match case["direction"].as_str().unwrap() {
            "from-alexa" => assert!(name.comes_from_alexa(), "{name}"),
            "to-alexa" => assert!(name.goes_to_alexa(), "{name}"),
            other => panic!("{other}"),
        }
        seen.insert((case["direction"].as_str().unwrap().to_owned(), name));
    }
    for name in OperationName::ALL {
        for (direction, there) in [
            ("from-alexa", name.comes_from_alexa()),
            ("to-alexa", name.goes_to_alexa()),
        ] {
            let found = seen.contains(&(direction.to_owned(), name));
            assert_eq!(found, there, "{direction} {name}");
        }
    }
}

#[test]
fn a_skill_request_holds_the_message_beside_its_own_members() {
    for case in corpus() {
        let mut request = case["message"].clone();
        request["requestId"] = json!("amzn1.echo-api.request.1");
        request["timestamp"] = json!("2024-05-01T10:11:12Z");
        request["ofTomorrow"] = json!({"a": 1});
        let body = json!({"version": "1.0", "context": {"System": {}}, "request": request});
        let envelope = Envelope::read(body.to_string().as_bytes()).unwrap();
        let message = Message::of_request(&envelope.request).unwrap();
        assert_eq!(serde_json::to_value(message).unwrap(), case["message"]);
    }
}

#[test]
fn each_required_member_is_asked_for_by_its_name() {
    let paths: &[(&str, &[&str])] = &[
        (
            "InitiateOutboundCall",
            &[
                "sessionId",
                "participants",
                "participants/0/id",
                "participants/0/id/type",
                "participants/1/id/value",
                "participants/1/isOriginator",
                "sdpDetails",
                "sdpDetails/type",
                "sdpDetails/value",
            ],
        ),
        (
            "InitiateInboundCall",
            &["sessionId", "participants", "sdpDetails"],
        ),
        ("CallRinging", &["sessionId"]),
        ("CallRingingAck", &["sessionId"]),
        (
            "CallInProgress",
            &[
                "sessionId",
                "sdpDetails",
                "sdpDetails/type",
                "sdpDetails/value",
            ],
        ),
        ("CallInProgressAck", &["sessionId"]),
        ("CallAccepted", &["sessionId"]),
        ("CallAcceptedAck", &["sessionId"]),
        (
            "CallUpdate",
            &[
                "sessionId",
                "renegotiationType",
                "sdpDetails",
                "sdpDetails/type",
                "sdpDetails/value",
            ],
        ),
        ("CallUpdateAck", &["sessionId"]),
        (
            "CallUpdateResponse",
            &[
                "sessionId",
                "renegotiationType",
                "sdpDetails",
                "sdpDetails/value",
            ],
        ),
        ("CallEnded", &["sessionId", "callResult", "callResult/code"]),
    ];
    assert_eq!(paths.len(), OperationName::ALL.len());
    for (name, paths) in paths {
        for path in *paths {
            let whole = first(name);
            let (parent, member) = path.rsplit_once('/').unwrap_or(("", path));
            let parent = match parent {
                "" => String::new(),
                parent => format!("/{parent}"),
            };
            let told = path
                .replace("/0/", "[0].")
                .replace("/1/", "[1].")
                .replace('/', ".");
            for (value, word) in [(None, "missing"), (Some(json!(7)), "a number")] {
                let mut message = whole.clone();
                let object = message.pointer_mut(&parent).unwrap();
                let object = object.as_object_mut().unwrap();
                match value {
                    None => object.remove(member),
                    Some(value) => object.insert(member.to_owned(), value),
                };
                let error = read(&message).unwrap_err().to_string();
                assert!(
                    error.starts_with(name) && error.contains(&told) && error.contains(word),
                    "{name} {path}: {error}"
                );
            }
        }
    }
}

#[test]
fn values_outside_their_rules_are_refused_by_name_and_nothing_private_is_repeated() {
    let long = "x".repeat(SDP_MAX_BYTES + 1);
    let number =
        json!({"id": {"type": "PHONE_NUMBER", "value": "+12045550100"}, "isOriginator": false});
    for (name, pointer, value, told) in [
        ("CallRinging", "/sessionId", json!(""), "sessionId"),
        ("CallRinging", "/sessionId", json!("s".repeat(257)), "257"),
        ("CallRinging", "/sessionId", json!("a\nb"), "sessionId"),
        ("CallUpdate", "/sdpDetails/type", json!("ANSWER"), "OFFER"),
        (
            "CallUpdate",
            "/sdpDetails/type",
            json!("PRANSWER"),
            "PRANSWER",
        ),
        ("CallUpdate", "/sdpDetails/value", json!(""), "0 bytes"),
        ("CallUpdate", "/sdpDetails/value", json!(long), "32769"),
        (
            "CallUpdate",
            "/renegotiationType",
            json!(""),
            "renegotiationType",
        ),
        (
            "CallInProgress",
            "/sdpDetails/type",
            json!("OFFER"),
            "ANSWER",
        ),
        (
            "CallUpdateResponse",
            "/sdpDetails/type",
            json!("OFFER"),
            "ANSWER",
        ),
        ("CallAccepted", "/sdpDetails/type", json!("OFFER"), "ANSWER"),
        (
            "InitiateOutboundCall",
            "/sdpDetails/type",
            json!("ANSWER"),
            "OFFER",
        ),
        (
            "CallEnded",
            "/callResult/code",
            json!(""),
            "callResult.code",
        ),
        ("CallEnded", "/callResult/code", json!("C".repeat(65)), "65"),
        (
            "InitiateOutboundCall",
            "/participants",
            json!([]),
            "somebody who is called",
        ),
        (
            "InitiateOutboundCall",
            "/participants",
            json!({}),
            "an object",
        ),
        (
            "InitiateOutboundCall",
            "/participants/1/isOriginator",
            json!(true),
            "2 originators",
        ),
        (
            "InitiateOutboundCall",
            "/participants/1/isOriginator",
            json!("false"),
            "a string",
        ),
        (
            "InitiateOutboundCall",
            "/participants/0",
            json!(null),
            "participants[0] is null",
        ),
        (
            "InitiateOutboundCall",
            "/participants/1/id/value",
            json!(""),
            "participants[1].id.value",
        ),
        (
            "InitiateOutboundCall",
            "/participants",
            json!(vec![number; 17]),
            "at most 16",
        ),
    ] {
        let mut message = first(name);
        *message.pointer_mut(pointer).unwrap() = value;
        let error = read(&message).unwrap_err().to_string();
        assert!(error.contains(told), "{name} {pointer}: {error}");
        assert!(
            !error.contains("2045550100") && error.len() < 300,
            "{error}"
        );
    }
    for (body, told) in [
        ("[]", "no JSON object"),
        ("{", "no JSON object"),
        ("{}", "type is \"\""),
        (r#"{"type":5}"#, "a number"),
        (r#"{"type":"CallRinging","sessionId":"s"}"#, "CallRinging"),
        (
            r#"{"type":"Alexa.Comms.CallSignaling.CallMoved"}"#,
            "CallMoved",
        ),
        (
            r#"{"type":"Alexa.Comms.CallSignaling.callRinging"}"#,
            "callRinging",
        ),
    ] {
        let error = Message::read(body.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(told), "{body}: {error}");
    }
}

#[test]
fn an_accepted_call_may_lack_its_description_in_each_way_that_the_page_allows() {
    let bare = json!({"type": "Alexa.Comms.CallSignaling.CallAccepted", "sessionId": "s"});
    for details in [
        json!(null),
        json!({}),
        json!({"type": "ANSWER"}),
        json!({"type": "ANSWER", "value": null}),
        json!({"type": "ANSWER", "value": ""}),
    ] {
        let mut message = bare.clone();
        message["sdpDetails"] = details;
        let message = read(&message).unwrap();
        assert_eq!(message.operation, Operation::CallAccepted { sdp: None });
        assert_eq!(serde_json::to_value(&message).unwrap(), bare);
    }
    let mut message = bare;
    message["sdpDetails"] = json!({"value": "v=0"});
    let sdp = Some(SdpDetails::answer("v=0"));
    assert_eq!(
        read(&message).unwrap().operation,
        Operation::CallAccepted { sdp }
    );
}

#[test]
fn words_that_nobody_knows_yet_are_kept() {
    let mut message = first("CallEnded");
    message["callResult"]["code"] = json!("DEVICE_ASLEEP");
    message["callResult"]["message"] = json!(null);
    let Operation::CallEnded { result } = read(&message).unwrap().operation else {
        panic!()
    };
    assert_eq!(result.code, ResultCode::Other("DEVICE_ASLEEP".to_owned()));
    assert_eq!(result.message, None);
    let mut message = first("InitiateOutboundCall");
    message["participants"][1]["id"]["type"] = json!("SIP_URI");
    let read = read(&message).unwrap();
    let participants = read.operation.participants().unwrap();
    assert_eq!(participants[1].id.kind, IdType::Other("SIP_URI".to_owned()));
    assert_eq!(serde_json::to_value(&read).unwrap(), message);
    assert_eq!(ResultCode::ALL.len(), 6);
    assert_eq!(RenegotiationKind::ALL.len(), 3);
}

#[test]
fn what_breaks_a_rule_is_not_written() {
    let session = SessionId::parse("s").unwrap();
    for operation in [
        Operation::CallUpdate {
            kind: RenegotiationKind::CallHold,
            sdp: SdpDetails::answer("v=0"),
        },
        Operation::CallInProgress {
            sdp: SdpDetails::answer(""),
        },
        Operation::InitiateInboundCall {
            participants: Vec::new(),
            sdp: SdpDetails::offer("v=0"),
            custom_params: None,
        },
        Operation::CallEnded {
            result: CallResult::new(ResultCode::Other(String::new()), "x"),
        },
    ] {
        let message = Message::new(session.clone(), operation);
        let error = serde_json::to_vec(&message).unwrap_err().to_string();
        assert_eq!(error, message.validate().unwrap_err().to_string());
    }
}

#[test]
fn a_debug_print_hides_descriptions_and_names() {
    let printed = format!("{:?}", read(&first("InitiateOutboundCall")).unwrap());
    for private in ["ice-pwd", "simulated", "frontdesk"] {
        assert!(!printed.contains(private), "{printed}");
    }
}

#[test]
fn acknowledgements_answer_what_the_workflows_say() {
    let answered: Vec<_> = OperationName::ALL
        .into_iter()
        .filter_map(|name| Some((name.as_str(), name.acknowledgement()?.as_str())))
        .collect();
    assert_eq!(
        answered,
        [
            ("CallRinging", "CallRingingAck"),
            ("CallInProgress", "CallInProgressAck"),
            ("CallAccepted", "CallAcceptedAck"),
            ("CallUpdateResponse", "CallUpdateAck"),
        ]
    );
}

#[test]
fn refusals_are_read_from_whichever_member_names_them() {
    for exception in SignalingException::ALL {
        assert_eq!(SignalingException::from_name(exception.name()), exception);
        let bare = exception.name().strip_suffix("Exception").unwrap();
        for body in [
            json!({"code": exception.name(), "message": "why"}),
            json!({"code": bare, "message": "why"}),
            json!({"__type": format!("com.amazon.signaling#{}", exception.name()), "Message": "why"}),
            json!({"error": exception.name(), "message": "why"}),
        ] {
            let refusal = Refusal::read(exception.status(), body.to_string().as_bytes());
            assert_eq!(refusal.exception, Some(exception.clone()), "{body}");
            assert_eq!(refusal.message.as_deref(), Some("why"));
            let outcome = Outcome::from(refusal);
            assert_eq!(outcome.exception(), Some(exception.clone()));
            assert!(!outcome.is_success());
        }
        let untold = Refusal::read(exception.status(), b"<html>");
        let expected = Some(exception.clone()).filter(|known| known.status() != 400);
        assert_eq!((untold.exception, untold.message), (expected, None));
    }
    assert_eq!(
        SignalingException::from_name("StrangeException"),
        SignalingException::Other("StrangeException".to_owned())
    );
}

#[test]
fn component_and_sidecar_speak_in_the_agreed_form() {
    let message = first("CallRinging");
    let forward = json!({
        "requestId": "amzn1.echo-api.request.1", "timestamp": "2024-05-01T10:11:12Z",
        "account": "amzn1.ask.account.A", "apiEndpoint": "https://api.eu.amazonalexa.com", "message": message
    });
    let read: Forward = serde_json::from_value(forward.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), forward);
    let order = json!({"account": "amzn1.ask.account.A", "message": message});
    let read: Order = serde_json::from_value(order.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), order);
    assert_eq!(
        serde_json::to_value(Outcome::taken(202)).unwrap(),
        json!({"status": 202, "exception": null, "message": null})
    );
    let error = serde_json::from_value::<Order>(json!({"account": "a", "message": {"type": "x"}}));
    assert!(error.unwrap_err().to_string().contains("Alexa.Comms"));
}
