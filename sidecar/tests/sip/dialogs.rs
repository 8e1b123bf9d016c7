//! Calls that change while they run, with PJSIP on the other side: PRACK, session timers, UPDATE, hold.

use crate::support;

use serde_json::{Value, json};
use support::pjsua::Pjsua;
use support::{Behaviour, Bench, Handler, NUMBER, Phone, TOKEN};

const DESK: &str = "+16075550100";

fn kind(event: &Value) -> &str {
    event["InvocationEventType"].as_str().unwrap()
}

/// A handler that bridges every caller to the desk.
async fn bridging() -> Handler {
    Handler::start(|event| match kind(event) {
        "NEW_INBOUND_CALL" => json!([{"Type": "CallAndBridge", "Parameters": {
            "CallTimeoutSeconds": 20, "CallerIdNumber": NUMBER,
            "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": DESK}]}}]),
        "HANGUP" => json!([{"Type": "Hangup", "Parameters": {}}]),
        _ => json!([]),
    })
    .await
}

fn uri(bench: &Bench) -> String {
    format!("sip:{NUMBER}@{}", bench.sidecar.sip_udp().unwrap())
}

/// The names of the messages in the trace of the only call.
async fn messages(bench: &Bench, transaction: &str) -> Vec<String> {
    let trace = bench.get(&format!("/v1/traces/{transaction}")).await;
    trace["records"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|record| record["name"].as_str().map(str::to_owned))
        .collect()
}

async fn order(bench: &Bench, leg: &str, what: &str, body: Value) -> u16 {
    bench
        .client
        .post(bench.url(&format!("/v1/legs/{leg}/{what}")))
        .bearer_auth(TOKEN)
        .json(&body)
        .send()
        .await
        .unwrap()
        .status()
        .as_u16()
}

/// Waits until the audio of the call's only or last leg is shown so.
async fn media_becomes(bench: &Bench, call_id: &str, what: &str, fits: impl Fn(&Value) -> bool) {
    let until = std::time::Instant::now() + support::LIMIT;
    loop {
        let call = bench.get(&format!("/v1/calls/{call_id}")).await;
        let media = call["media"].as_array().unwrap();
        if media
            .iter()
            .any(|leg| leg["callId"] == call_id && fits(leg))
        {
            return;
        }
        assert!(std::time::Instant::now() < until, "{what}: {call:#}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

fn leg_of<'a>(event: &'a Value, tag: &str) -> &'a str {
    event["CallDetails"]["Participants"]
        .as_array()
        .unwrap()
        .iter()
        .find(|leg| leg["ParticipantTag"] == tag)
        .unwrap()["CallId"]
        .as_str()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn early_media_is_acknowledged_by_prack_and_the_session_is_timed() {
    let desk = Phone::start(700.0, Behaviour::Answer);
    let handler = bridging().await;
    let bench = Bench::start(handler, Some(desk.address)).await;
    // 100rel and timer are required by the phone: without them there is no call.
    let mut phone = Pjsua::start(&json!({"prack": 1, "timer": 2, "expires": 600}));
    phone.order(&format!("call {}", uri(&bench)));
    phone.is("1", "CONFIRMED");
    phone.hears("1");
    desk.hears(440.0);
    let new = bench.handler.wait("NEW_INBOUND_CALL", 1);
    let transaction = new["CallDetails"]["TransactionId"].as_str().unwrap();
    let seen = messages(&bench, transaction).await;
    assert!(seen.iter().any(|name| name == "PRACK"), "{seen:?}");
    phone.order("hangup 1");
    phone.is("1", "DISCONNECTED");
    desk.wait("the end", |state| state.ended);
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_holds_resumes_and_updates_and_is_heard_again() {
    let desk = Phone::start(700.0, Behaviour::Answer);
    let bench = Bench::start(bridging().await, Some(desk.address)).await;
    let mut phone = Pjsua::start(&json!({"prack": 2, "timer": 1}));
    phone.order(&format!("call {}", uri(&bench)));
    phone.is("1", "CONFIRMED");
    phone.hears("1");
    desk.hears(440.0);
    let new = bench.handler.wait("NEW_INBOUND_CALL", 1);
    let leg = leg_of(&new, "LEG-A");
    for _ in 0..2 {
        let mark = phone.mark();
        phone.order("hold 1");
        phone.wait_after(mark, "its hold", |event| {
            event["event"] == "media" && event["status"] == 2
        });
        media_becomes(&bench, leg, "held", |media| media["held"] == true).await;
        let mark = phone.mark();
        phone.order("resume 1");
        phone.wait_after(mark, "its audio", |event| {
            event["event"] == "media" && event["status"] == 1
        });
        media_becomes(&bench, leg, "not held", |media| media["held"] == false).await;
        phone.hears("1");
        desk.forget_heard();
        desk.hears(440.0);
    }
    let mark = phone.mark();
    phone.order("update 1");
    phone.wait_after(mark, "its audio after UPDATE", |event| {
        event["event"] == "media" && event["status"] == 1
    });
    desk.forget_heard();
    desk.hears(440.0);
    let transaction = new["CallDetails"]["TransactionId"].as_str().unwrap();
    let seen = messages(&bench, transaction).await;
    assert!(seen.iter().any(|name| name == "UPDATE"), "{seen:?}");
    assert!(!seen.iter().any(|name| name.starts_with("4")), "{seen:?}");
    phone.order("hangup 1");
    desk.wait("the end", |state| state.ended);
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_called_phone_is_held_and_resumed_by_us_while_it_does_the_same() {
    let mut desk = Pjsua::start(&json!({"answers": 200, "prack": 2, "timer": 1}));
    let bench = Bench::start(bridging().await, Some(desk.address)).await;
    let phone = Phone::start(400.0, Behaviour::Answer);
    bench.call(&phone, &[]);
    desk.is("1", "CONFIRMED");
    desk.hears("1");
    phone.hears(440.0);
    let bridged = bench.handler.wait("ACTION_SUCCESSFUL", 1);
    let leg = leg_of(&bridged, "LEG-B").to_owned();
    assert_eq!(order(&bench, &leg, "hold", json!({"on": true})).await, 202);
    desk.wait("our hold", |event| {
        event["event"] == "media" && event["status"] == 3
    });
    media_becomes(&bench, &leg, "holding", |media| media["holding"] == true).await;
    // Both sides begin at once: whoever is refused with 491 comes again.
    assert_eq!(order(&bench, &leg, "hold", json!({"on": false})).await, 202);
    desk.order("reinvite 1");
    media_becomes(&bench, &leg, "resumed", |media| media["holding"] == false).await;
    phone.forget_heard();
    phone.hears(440.0);
    desk.hears("1");
    assert_eq!(
        order(&bench, "nobody", "hold", json!({"on": true})).await,
        404
    );
    phone.hang_up();
    desk.is("1", "DISCONNECTED");
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn digits_by_info_reach_the_handler_and_a_text_message_is_taken() {
    let handler = Handler::start(|event| match kind(event) {
        "NEW_INBOUND_CALL" => json!([{"Type": "SpeakAndGetDigits", "Parameters": {
            "SpeechParameters": {"Text": "Press two digits."},
            "FailureSpeechParameters": {"Text": "Sorry."},
            "MinNumberOfDigits": 2, "MaxNumberOfDigits": 2, "Repeat": 3,
            "RepeatDurationInMilliseconds": 10000}}]),
        _ => json!([{"Type": "Hangup", "Parameters": {}}]),
    })
    .await;
    let bench = Bench::start(handler, None).await;
    let mut phone = Pjsua::start(&json!({}));
    phone.order(&format!("call {}", uri(&bench)));
    phone.is("1", "CONFIRMED");
    phone.order("message 1 hello");
    phone.order("digits-by-info 1 4*");
    let got = bench.handler.wait("ACTION_SUCCESSFUL", 1);
    assert_eq!(got["ActionData"]["ReceivedDigits"], "4*");
    phone.is("1", "DISCONNECTED");
    bench.sidecar.shutdown().await;
}
