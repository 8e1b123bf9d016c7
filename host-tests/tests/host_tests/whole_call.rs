//! The demo's call, step by step, and its kin: through the simulator, the component and the sidecar.

use serde_json::json;
use skillcall_host_tests::handler::action;
use skillcall_host_tests::{Handler, Staging, plans, sound};
use skillcall_simulator::line::{CallState, EndedBy, Voice};

const GUEST: f64 = 440.0;
const DESK: f64 = 1000.0;

/// Both talk by tones.
fn with_tones(staging: Staging) -> Staging {
    staging.simulator(|simulator| {
        simulator.device.voice = Voice::Tone { hz: GUEST };
        if let Some(phone) = &mut simulator.phone {
            phone.voice = Voice::Tone { hz: DESK };
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_menu_choice_leads_to_the_phone_and_both_hear_each_other() {
    let stage = with_tones(Staging::new(plans::menu())).start().await;

    let (said, call) = stage.call().await;
    assert_eq!(
        said.spoken.last().map(String::as_str),
        Some("Calling the front desk."),
        "facts A3: the call is announced"
    );
    stage.control.running("SpeakAndGetDigits").await;
    stage.simulator.press(&call.id, "1").await.expect("pressed");

    let phone = stage.phone(CallState::Talking).await;
    assert_eq!(phone.to, plans::PHONE);
    sound::heard(&stage.simulator, &phone.id, GUEST).await;
    sound::heard(&stage.simulator, &call.id, DESK).await;

    stage.simulator.hang_up(&phone.id).await.expect("hung up");
    let device = stage.over(&call.id).await;
    assert_eq!(
        device.ended.expect("an ending").by,
        EndedBy::Peer,
        "the component hangs the device up"
    );
    assert_eq!(device.digits_sent, "1");
    stage.quiet().await;

    let recordings = sound::recordings(&stage.recordings());
    assert_eq!(recordings.len(), 1, "{recordings:?}");
    let (caller, called) = sound::stereo(&recordings[0]);
    assert!(
        sound::windows_with(&caller, GUEST) >= 5,
        "facts F6: incoming is left"
    );
    assert!(
        sound::windows_with(&called, DESK) >= 5,
        "facts F6: outgoing is right"
    );
    assert_eq!(sound::windows_with(&caller, DESK), 0);
    assert_eq!(sound::windows_with(&called, GUEST), 0);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_digit_arrives_once_and_in_its_place() {
    let get = action(
        "SpeakAndGetDigits",
        json!({
            "SpeechParameters": {"Text": "Your number, please."},
            "FailureSpeechParameters": {"Text": "Sorry."},
            "MinNumberOfDigits": 8,
            "MaxNumberOfDigits": 8,
            "RepeatDurationInMilliseconds": 60000,
        }),
    );
    let handler = Handler::playing(vec![get, action("Hangup", json!({}))]).await;
    let stage = Staging::new(plans::straight())
        .handled_by(handler.url())
        .start()
        .await;
    let (_, call) = stage.call().await;
    stage.control.running("SpeakAndGetDigits").await;
    stage
        .call_is(&call.id, |call| call.state == CallState::Talking)
        .await;
    stage
        .simulator
        .press(&call.id, "11223*09")
        .await
        .expect("pressed");
    stage.over(&call.id).await;
    let done = handler.event("ACTION_SUCCESSFUL").await;
    assert_eq!(done["ActionData"]["ReceivedDigits"], "11223*09", "{done}");
    stage.end().await;
}
