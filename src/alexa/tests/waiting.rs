//! Answers in time: repeated requests to Alexa, and a word to the customer while they last (facts A4, A5, D2).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::*;
use crate::testing::alexa_api;

fn directives(host: &Memory) -> Vec<Value> {
    let sent = host.sent.lock().unwrap();
    sent.iter()
        .filter(|request| request.url.ends_with("/v1/directives"))
        .map(|request| serde_json::from_slice(&request.body).unwrap())
        .collect()
}

fn slow(path: &'static str, ms: u64) -> Memory {
    let host = installation();
    host.takes(move |request| {
        if request.url.contains(path) {
            Duration::from_millis(ms)
        } else {
            Duration::ZERO
        }
    });
    host
}

#[test]
fn who_waits_for_two_seconds_hears_a_word() {
    let host = slow("communications/session", 2500);
    assert_eq!(speech(&ask(&host, &call(1))), "Calling the front desk.");
    assert_eq!(
        directives(&host),
        [json!({"header": {"requestId": "amzn1.echo-api.request.1"},
            "directive": {"type": "VoicePlayer.Speak", "speech": "One moment, please."}})]
    );
    let asked = host.asked();
    assert_eq!(
        asked.last().map(String::as_str),
        Some("POST /v1/directives"),
        "while the call is being started: {asked:?}"
    );
}

#[test]
fn the_word_is_in_the_customers_language_and_said_once() {
    let host = installation();
    host.takes(|_| Duration::from_millis(1900));
    let mut german = call(1);
    german["request"]["locale"] = json!("de-DE");
    assert_eq!(speech(&ask(&host, &german)), "Ich rufe die Rezeption an.");
    let said = directives(&host);
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said[0]["directive"]["speech"], "Einen Moment, bitte.");
}

#[test]
fn who_is_served_at_once_hears_nothing_else() {
    let host = slow("communications/session", 1900);
    ask(&host, &call(1));
    assert!(directives(&host).is_empty());
}

#[test]
fn a_word_that_alexa_refuses_costs_no_call() {
    for status in [400, 401, 403, 0] {
        let host = installation();
        host.answers(alexa_api(move |path| {
            (path == "v1/directives").then(|| (status, json!({})))
        }));
        host.takes(|request| {
            Duration::from_millis(if request.url.contains("session") {
                2500
            } else {
                0
            })
        });
        assert_eq!(
            speech(&ask(&host, &call(1))),
            "Calling the front desk.",
            "{status}"
        );
        assert!(host.log_says("progressive response"), "{status}");
    }
}

#[test]
fn what_was_throttled_is_tried_again_with_the_same_session_id() {
    for status in [429, 500] {
        let host = installation();
        let tries = AtomicU64::new(0);
        host.answers(alexa_api(move |path| {
            (path.contains("communications") && tries.fetch_add(1, Ordering::SeqCst) < 2)
                .then(|| (status, json!({})))
        }));
        assert_eq!(
            speech(&ask(&host, &call(1))),
            "Calling the front desk.",
            "{status}"
        );
        let asked = sessions(&host);
        assert_eq!(asked.len(), 3);
        assert!(asked.iter().all(|session| *session == asked[0]));
    }
}

#[test]
fn nobody_waits_longer_than_alexa_does() {
    for status in [429, 500, 0] {
        let host = installation();
        host.answers(alexa_api(move |path| {
            (path.contains("communications") || path == "v1/directives")
                .then(|| (status, json!({})))
        }));
        host.takes(|_| Duration::from_millis(900));
        let began = crate::host::Host::now_ms(&host);
        ask(&host, &call(1));
        let took = crate::host::Host::now_ms(&host) - began;
        assert!(took < 8000, "facts A4: {status} took {took} ms");
    }
}

#[test]
fn a_request_that_is_served_again_while_keys_are_changed_keeps_its_session() {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    let host = installation();
    ask(&host, &call(1));
    // Who served it died before the answer was kept.
    host.state
        .lock()
        .unwrap()
        .retain(|key, _| !key.starts_with("once/"));
    host.set(
        "session_key",
        format!("{},{}", STANDARD.encode([8; 32]), STANDARD.encode([7; 32])),
    );
    ask(&host, &call(1));
    ask(&host, &call(2));
    let csi: Vec<Value> = sessions(&host)
        .iter()
        .map(|session| session["clientContext"]["clientSessionId"].clone())
        .collect();
    assert_eq!(csi[0], csi[1]);
    assert_ne!(csi[1], csi[2]);
    let new =
        crate::session::client_session_id(&[8; 32], &"amzn1.echo-api.request.2".parse().unwrap());
    assert_eq!(
        csi[2],
        new.unwrap().as_str(),
        "new requests have the new key's"
    );
}
