//! The corpus of requests and replies, each written from the facts.

use serde_json::{Value, json};

use super::*;
use crate::testing::alexa_api;

const CORPUS: &str = include_str!("../../../crates/protocol/tests/golden/skill-requests.json");

#[test]
fn each_request_of_the_corpus_gets_its_reply() {
    let cases: Vec<Value> = serde_json::from_str(CORPUS).unwrap();
    for (n, case) in cases.iter().enumerate() {
        let host = installation();
        host.set("lwa_client_secrets", "the-secret");
        host.set(
            "token_keys",
            "t1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        );
        let services = case["services"].clone();
        host.answers(alexa_api(move |path| {
            let answer = services.get(path)?;
            let status = u16::try_from(answer[0].as_u64()?).ok()?;
            Some((status, answer[1].clone()))
        }));
        let mut request = case["request"].clone();
        request["request"]["requestId"] = json!(format!("amzn1.echo-api.request.{n}"));
        let mut answer = ask(&host, &request);
        if let Some(id) = answer.pointer_mut("/event/header/messageId") {
            assert_eq!(id.as_str().map(str::len), Some(32));
            *id = json!("GOLDEN");
        }
        assert_eq!(
            answer, case["reply"],
            "{} ({})",
            case["what"], case["facts"]
        );
        let log = host.logged.lock().unwrap().join("\n");
        assert!(!log.contains("linked-account-token"), "{log}");
    }
}

#[test]
fn what_alexa_tells_of_failures_is_warned_of() {
    let host = installation();
    let mut ended = call(1);
    ended["request"] = json!({"type": "SessionEndedRequest", "requestId": "r1", "timestamp": "2027-01-15T08:00:00Z",
        "reason": "ERROR", "error": {"type": "INVALID_RESPONSE", "message": "too long"}});
    ask(&host, &ended);
    assert!(host.log_says("INVALID_RESPONSE: too long"));
    let mut exception = call(2);
    exception["request"] = json!({"type": "System.ExceptionEncountered", "requestId": "r2", "timestamp": "2027-01-15T08:00:00Z",
        "error": {"type": "INVALID_RESPONSE", "message": "no"}, "cause": {"requestId": "amzn1.echo-api.request.0"}});
    ask(&host, &exception);
    assert!(host.log_says("amzn1.echo-api.request.0: INVALID_RESPONSE: no"));
}

#[test]
fn a_skill_event_is_an_hour_good_and_no_longer() {
    let host = installation();
    let event = |n: u32, timestamp: &str| {
        let mut request = call(n);
        request["request"] = json!({"type": "AlexaSkillEvent.SkillEnabled", "requestId": format!("e{n}"), "timestamp": timestamp});
        http::serve_trusted(&host, request.to_string().as_bytes())
            .response
            .status
    };
    assert_eq!(event(1, "2027-01-15T07:00:30Z"), 200);
    assert_eq!(event(2, "2027-01-15T06:59:30Z"), 400);
}
