//! Requests of Alexa and their answers, with the whole outside scripted.

mod callers;
mod golden;
mod grant;
mod plans;
mod waiting;

use serde_json::{Value, json};

use crate::http::{self, Response};
use crate::testing::{Memory, call_request, installation};

/// An installation with another plan.
fn with_plan(toml: &str) -> Memory {
    let host = installation();
    set_plan(&host, toml);
    host
}

fn set_plan(host: &Memory, toml: &str) {
    match skillcall_plan::compile(toml) {
        Ok((plan, _)) => host.set("plan", plan),
        Err(findings) => panic!(
            "{}",
            findings
                .iter()
                .map(|f| format!("{f}\n"))
                .collect::<String>()
        ),
    }
}

const HEAD: &str = "[skill]\nid = \"amzn1.ask.skill.00000000-0000-0000-0000-000000000000\"\n\
     lwa-client-id = \"amzn1.application-oa2-client.0123456789abcdef0123456789abcdef\"\n";

fn desk(more: &str) -> String {
    format!(
        "{HEAD}[[destination]]\nname = \"front desk\"\nid = \"FRONT_DESK\"\nnumber = \"+16075550199\"\n{more}\n"
    )
}

/// Answers a request whose sender the host has authenticated.
fn ask(host: &Memory, request: &Value) -> Value {
    let Response { status, body, .. } =
        http::serve_trusted(host, request.to_string().as_bytes()).response;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).unwrap()
}

fn speech(answer: &Value) -> &str {
    let speech = &answer["response"]["outputSpeech"];
    speech["text"]
        .as_str()
        .or(speech["ssml"].as_str())
        .unwrap_or_else(|| panic!("{answer}"))
}

/// "call the front desk", with an id of its own.
fn call(n: u32) -> Value {
    call_request(&format!("amzn1.echo-api.request.{n}"), "front desk")
}

/// The bodies of StartCommunicationSession requests.
fn sessions(host: &Memory) -> Vec<Value> {
    let sent = host.sent.lock().unwrap();
    sent.iter()
        .filter(|request| request.url.ends_with("/v1/communications/session"))
        .map(|request| serde_json::from_slice(&request.body).unwrap())
        .collect()
}

/// An intent without slots, in a session with attributes.
fn intent(n: u32, name: &str, attributes: Value) -> Value {
    let mut request = call(n);
    request["request"]["intent"] = json!({"name": name, "confirmationStatus": "NONE"});
    request["session"]["attributes"] = attributes;
    request
}
