//! VoiceFocus on a bridge: what the other leg hears has less noise, and speech goes on.

use crate::support;

use serde_json::{Value, json};
use skillcall_media::tone;
use support::{Behaviour, Bench, Handler, Phone, TOKEN};

/// The level of the last half second that a phone has heard.
fn level(state: &support::phone::State) -> f64 {
    let last = state.heard.len().saturating_sub(4000);
    tone::level_dbov(&state.heard[last..])
}

/// White noise at about −23 dBov, always the same.
fn noise(samples: usize) -> Vec<i16> {
    let mut state = 1u32;
    (0..samples)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            i16::try_from(i32::try_from(state >> 18).unwrap() - 8192).unwrap() / 3
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_is_suppressed_on_a_bridge_while_it_is_on() {
    let handler = Handler::start(
        |event| match event["InvocationEventType"].as_str().unwrap() {
            "NEW_INBOUND_CALL" => json!([{"Type": "CallAndBridge", "Parameters": {
            "CallTimeoutSeconds": 30, "CallerIdNumber": "+16075550199",
            "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": "+14255550123"}]}}]),
            "CALL_UPDATE_REQUESTED" => {
                let on = event["ActionData"]["Parameters"]["Arguments"]["on"] == "yes";
                let leg = &event["CallDetails"]["Participants"][0]["CallId"];
                json!([{"Type": "VoiceFocus", "Parameters": {"CallId": leg, "Enable": on}}])
            }
            "HANGUP" => json!([{"Type": "Hangup", "Parameters": {"ParticipantTag": "LEG-B"}}]),
            _ => json!([]),
        },
    )
    .await;
    let (a, b) = (
        Phone::start(0.0, Behaviour::Answer),
        Phone::start(0.0, Behaviour::Answer),
    );
    let bench = Bench::with(handler, Some(b.address), "", |_| {}).await;
    bench.call(&a, &[]);
    let bridged = bench.handler.wait("ACTION_SUCCESSFUL", 1);
    let id = bridged["CallDetails"]["TransactionId"].as_str().unwrap();
    let switch = async |on: &str| {
        let update = json!({"Arguments": {"on": on}});
        let response = bench
            .client
            .post(bench.url(&format!("/v1/calls/{id}/update")))
            .bearer_auth(TOKEN)
            .json(&update)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 202);
    };
    // A minute, of which the end is never needed.
    a.say(&noise(60 * 8000));
    b.wait("the noise", |state| level(state) > -27.0);
    switch("yes").await;
    let done: Value = bench.handler.wait("ACTION_SUCCESSFUL", 2);
    assert_eq!(done["ActionData"]["Type"], "VoiceFocus");
    b.wait("less noise", |state| level(state) < -34.0);
    switch("no").await;
    bench.handler.wait("ACTION_SUCCESSFUL", 3);
    b.wait("the noise again", |state| level(state) > -27.0);
    a.hang_up();
    bench.handler.wait("HANGUP", 1);
    bench.sidecar.shutdown().await;
}
