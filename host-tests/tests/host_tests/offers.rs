//! Offers and answers beyond the first INVITE's: none at all, hold and its end, on either leg, by SIPp.
//!
//! SIPp gives back what it hears, so the other end hears its own tone as long as both directions are open.

use serde_json::json;
use skillcall_host_tests::handler::{action, nothing};
use skillcall_host_tests::program::free_port;
use skillcall_host_tests::sipp::{self, Over};
use skillcall_host_tests::{Answer, Handler, Stage, Staging, plans, sound, undisturbed};
use skillcall_simulator::line::{Call, CallState, EndedBy, Voice};

const TONE: f64 = 700.0;
/// Windows of 200 ms: half of the shortest time that a scenario stays in one state.
const HALF: usize = 6;

/// The other end's call: it talked, the tone came, went while it was held, and came back; and nothing was lost.
fn heard_but_for_the_hold(stage: &Stage, call: &Call) {
    let samples = stage.simulator.heard(&call.id).expect("what was heard");
    let stretches = sound::stretches(&samples, TONE);
    let tones: Vec<usize> = stretches
        .iter()
        .filter(|(tone, _)| *tone)
        .map(|(_, length)| *length)
        .collect();
    assert!(
        tones.len() == 2 && tones.iter().all(|length| *length >= HALF),
        "two stretches of tone, before and after the hold: {stretches:?}"
    );
    let between = stretches
        .iter()
        .skip_while(|(tone, _)| !*tone)
        .find(|(tone, _)| !*tone)
        .expect("a stretch without");
    assert!(between.1 >= HALF, "the hold: {stretches:?}");
    // What is on its way when the hold begins is lost with `inactive`: a packet, or two.
    assert!(
        call.media.lost <= 2,
        "what is not sent during a hold leaves no hole in the numbers: {:?}",
        call.media
    );
}

/// SIPp calls by a scenario; the handler bridges it to the simulator's phone, which talks by a tone. The phone's call.
async fn bridged_caller(name: &str, keywords: &[(&str, &str)]) -> (Stage, Call, Handler) {
    let handler = Handler::start(|event| match event["InvocationEventType"].as_str() {
        Some("NEW_INBOUND_CALL") => Answer::Actions(vec![action(
            "CallAndBridge",
            json!({
                "CallTimeoutSeconds": 30,
                "CallerIdNumber": plans::DESK,
                "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": plans::PHONE}],
            }),
        )]),
        Some("HANGUP") => Answer::Actions(vec![action("Hangup", json!({}))]),
        _ => nothing(),
    })
    .await;
    let staging = Staging::new(plans::straight()).handled_by(handler.url());
    let stage = staging
        .simulator(|simulator| {
            if let Some(phone) = &mut simulator.phone {
                phone.voice = Voice::Tone { hz: TONE };
            }
        })
        .start()
        .await;
    sipp::call(&stage, Over::Udp, name, keywords)
        .succeeds()
        .await;
    let phone = stage.phone(CallState::Ended).await;
    assert_eq!(phone.ended.as_ref().expect("an ending").by, EndedBy::Peer);
    stage.quiet().await;
    (stage, phone, handler)
}

async fn held_by_the_caller(hold: &str, address: &str) {
    // SIPp goes by its own clock.
    undisturbed(async || {
        let keywords = [("hold", hold), ("address", address)];
        let (stage, phone, handler) = bridged_caller("hold_by_caller", &keywords).await;
        heard_but_for_the_hold(&stage, &phone);
        assert!(!handler.types().contains(&"ACTION_FAILED".to_owned()));
        stage.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_caller_holds_with_sendonly() {
    held_by_the_caller("sendonly", "127.0.0.1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_caller_holds_with_inactive() {
    held_by_the_caller("inactive", "127.0.0.1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_caller_holds_as_in_rfc_2543() {
    held_by_the_caller("sendrecv", "0.0.0.0").await;
}

async fn held_by_the_phone(over: Over, hold: &str, address: &str) {
    undisturbed(async || held_once_by_the_phone(over, hold, address).await).await;
}

/// SIPp is the phone and holds; the device talks by a tone.
async fn held_once_by_the_phone(over: Over, hold: &str, address: &str) {
    let (port, media) = (free_port(), free_port());
    let mut staging = Staging::new(plans::straight());
    let mut route = format!("sip:{{number}}@127.0.0.1:{port}");
    if over == Over::Tcp {
        staging = staging.over_tcp();
        route.push_str(";transport=tcp");
    }
    let stage = staging
        .bridging_to(route)
        .simulator(|simulator| simulator.device.voice = Voice::Tone { hz: TONE })
        .start()
        .await;
    let plays = sipp::scenario("hold_by_phone", &[("hold", hold), ("address", address)]);
    let sipp = sipp::phone(&stage, over, (port, media), &plays);
    sipp::listening(over, port).await;
    let (_, call) = stage.call().await;
    let device = stage.over(&call.id).await;
    assert_eq!(device.ended.as_ref().expect("an ending").by, EndedBy::Peer);
    sipp.succeeds().await;
    stage.quiet().await;
    heard_but_for_the_hold(&stage, &device);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_phone_holds_with_sendonly() {
    held_by_the_phone(Over::Udp, "sendonly", "127.0.0.1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_phone_holds_with_inactive_over_tcp() {
    held_by_the_phone(Over::Tcp, "inactive", "127.0.0.1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_phone_holds_as_in_rfc_2543() {
    held_by_the_phone(Over::Udp, "sendrecv", "0.0.0.0").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invite_without_an_offer_becomes_a_call_and_stays_one() {
    undisturbed(async || {
        let (stage, phone, handler) = bridged_caller("offerless", &[]).await;
        let samples = stage.simulator.heard(&phone.id).expect("what was heard");
        let stretches = sound::stretches(&samples, TONE);
        let heard: usize = stretches
            .iter()
            .filter(|(tone, _)| *tone)
            .map(|(_, length)| *length)
            .sum();
        assert!(heard >= 3 * HALF, "before and after: {stretches:?}");
        assert_eq!(stage.sidecar.figures().calls_answered, 1);
        assert!(!handler.types().contains(&"ACTION_FAILED".to_owned()));
        stage.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_never_answers_our_offer_is_hung_up_on() {
    let handler = Handler::playing(vec![
        action("Speak", json!({"Text": "Welcome."})),
        action("Pause", json!({"DurationInMilliseconds": "60000"})),
    ])
    .await;
    let stage = Staging::new(plans::straight())
        .handled_by(handler.url())
        .start()
        .await;
    sipp::call(&stage, Over::Udp, "offer_unanswered", &[])
        .succeeds()
        .await;
    let hangup = handler.event("HANGUP").await;
    assert_eq!(
        hangup["ActionData"]["Parameters"]["SipResponseCode"], 488,
        "{hangup}"
    );
    stage.end().await;
}
