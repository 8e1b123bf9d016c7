//! Calls handed over through the route, with the handler scripted.

use serde_json::{Value, json};
use skillcall_protocol::signing::{KeyRing, SignedReply, sign_reply, verify_request};

use super::*;
use crate::host::OutboundReply;
use crate::testing::{Memory, NOW_S, event, installation, signed_event};

const KEYS: &str = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const URL: &str = "https://porter.example.com/events?x=1";

fn with_plan(more: &str) -> Memory {
    let host = installation();
    let toml = format!(
        "[skill]\nid = \"amzn1.ask.skill.1\"\n[[flow]]\nnumber = \"+16075550199\"\n{more}\n"
    );
    host.set("plan", skillcall_plan::compile(&toml).unwrap().0);
    host
}

/// A handler that answers with `reply`, signed with these keys or not at all.
fn answering(host: &Memory, status: u16, reply: &str, keys: Option<&'static str>) {
    let reply = reply.as_bytes().to_vec();
    host.answers(move |request| {
        assert_eq!(request.url, URL);
        let lookup = |name: &str| {
            request
                .headers
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.as_str())
        };
        let parts = RequestParts {
            method: "POST",
            path_and_query: "/events?x=1",
            body: &request.body,
        };
        let signed =
            verify_request(&KeyRing::parse(KEYS).unwrap(), parts, &lookup, NOW_S as i64).unwrap();
        let headers = keys.map_or_else(Vec::new, |keys| {
            let reply = SignedReply {
                status,
                nonce: &signed.nonce,
                body: &reply,
            };
            sign_reply(&KeyRing::parse(keys).unwrap(), reply, NOW_S as i64)
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()
        });
        Ok(OutboundReply {
            status,
            headers,
            body: reply.clone(),
        })
    });
}

fn incoming(host: &Memory, nonce: u8) -> Value {
    let leg = json!({"CallId": "leg-a", "ParticipantTag": "LEG-A", "To": "+16075550199", "From": "+12045550100", "Direction": "Inbound", "StartTimeInMilliseconds": "1"});
    let body = event(
        1,
        "NEW_INBOUND_CALL",
        Value::Null,
        Value::Null,
        json!([leg]),
    );
    let response = http::serve(host, &signed_event(&body, nonce)).response;
    assert_eq!(
        response.status,
        200,
        "{}",
        String::from_utf8_lossy(&response.body)
    );
    serde_json::from_slice(&response.body).unwrap()
}

const PAUSE: &str = r#"{"SchemaVersion":"1.0","Actions":[{"Type":"Pause","Parameters":{"DurationInMilliseconds":"500"}}],"TransactionAttributes":{"mine":"1"}}"#;

#[test]
fn the_handlers_actions_and_attributes_go_to_the_sidecar_beside_the_position() {
    let host = with_plan(&format!("handler = \"{URL}\""));
    answering(&host, 200, PAUSE, Some(KEYS));
    let reply = incoming(&host, 1);
    assert_eq!(reply["Actions"][0]["Type"], "Pause");
    assert_eq!(reply["TransactionAttributes"]["mine"], "1");
    assert_eq!(reply["TransactionAttributes"]["skillcall.step"], "handler");
    assert!(
        reply["TransactionAttributes"].as_object().unwrap().len() <= 10,
        "facts F4"
    );
    let sent = host.sent.lock().unwrap();
    let event: Value = serde_json::from_slice(&sent[0].body).unwrap();
    assert_eq!(event["InvocationEventType"], "NEW_INBOUND_CALL");
    assert_eq!(event["CallDetails"]["TransactionId"], "transaction-1");
}

#[test]
fn a_reply_that_cannot_be_used_leads_to_an_apology() {
    let other = "k1:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
    for (status, reply, keys, told) in [
        (200, PAUSE, None, "reply"),
        (200, PAUSE, Some(other), "reply"),
        (500, "{}", Some(KEYS), "answered 500"),
        (200, "nonsense", Some(KEYS), "no JSON"),
    ] {
        let host = with_plan(&format!("handler = \"{URL}\""));
        answering(&host, status, reply, keys);
        let reply = incoming(&host, 1);
        let types: Vec<_> = reply["Actions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|action| action["Type"].as_str().unwrap())
            .collect();
        assert_eq!(types, ["Speak", "Hangup"], "{status} {told}");
        assert!(
            host.log_says(told),
            "{told}: {:?}",
            host.logged.lock().unwrap()
        );
    }
}

#[test]
fn unsigned_replies_are_taken_where_the_plan_says_so() {
    let host = with_plan(&format!(
        "handler = \"{URL}\"\nrequire-signed-replies = false"
    ));
    answering(&host, 200, PAUSE, None);
    assert_eq!(incoming(&host, 1)["Actions"][0]["Type"], "Pause");
}

#[test]
fn the_signature_covers_path_and_query() {
    for (url, path) in [
        (URL, "/events?x=1"),
        ("https://a.example", "/"),
        ("https://a.example/", "/"),
    ] {
        assert_eq!(path_of(url), path);
    }
}
