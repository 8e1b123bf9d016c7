//! A newer sidecar takes the place of one with devices' calls: what Alexa says of them finds them, and counts once.

mod support;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use support::device::Device;
use support::process::Process;
use support::room::G711;
use support::skill::{Skill, message};
use support::{Behaviour, Phone};
use tempfile::TempDir;

const DEVICE: f64 = 700.0;
const PHONE: f64 = 1100.0;
/// A process ends with its last call's last transaction: 64·T1, and what a busy machine takes.
const ENDS: Duration = Duration::from_secs(100);

/// A sidecar with a gateway that hands over; calls to `rings` and `answers` go to these phones.
fn installation(skill: &Skill, rings: &Phone, answers: &Phone) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let route = |name: &str, phone: &Phone| {
        format!(
            "[[gateway.route]]\naddress = \"{name}\"\nuri = \"sip:{name}@{}\"\n",
            phone.address
        )
    };
    let settings = skill.settings(&(route("rings", rings) + &route("answers", answers)))
        + "[handover]\nsocket = \"handover.sock\"\n";
    let text = support::config_text(folder.path(), "http://127.0.0.1:9/", None, &settings);
    let file = folder.path().join("sidecar.toml");
    std::fs::write(&file, text).unwrap();
    (folder, file)
}

fn call_to(name: &str, offer: &str) -> Value {
    json!({
        "participants": [
            {"id": {"type": "RAW_ADDRESS", "value": "room201"}, "isOriginator": true},
            {"id": {"type": "RAW_ADDRESS", "value": name}, "isOriginator": false},
        ],
        "sdpDetails": {"type": "OFFER", "value": offer},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_alexa_says_finds_its_call_and_counts_once() {
    let skill = Skill::start().await;
    let rings = Phone::start(PHONE, Behaviour::Ring);
    let answers = Phone::start(PHONE, Behaviour::Answer);
    let (_folder, file) = installation(&skill, &rings, &answers);
    let (mut first, _, control) = Process::sidecar_with_control(&file);
    let to = control.to_string();

    // One call is up, and one rings.
    let (device, offer) = Device::offering(DEVICE, &G711);
    let begin = message("s-up", "InitiateOutboundCall", call_to("answers", &offer));
    assert_eq!(skill.forward(&to, "request-up", begin.clone()).await, 202);
    tokio::task::block_in_place(|| skill.wait("CallRinging", 1));
    skill.says(&to, "s-up", "CallRingingAck", json!({})).await;
    let accepted = tokio::task::block_in_place(|| skill.wait("CallAccepted", 1));
    device.take_answer(accepted["sdpDetails"]["value"].as_str().unwrap());
    skill.says(&to, "s-up", "CallAcceptedAck", json!({})).await;
    let (_other, offer) = Device::offering(DEVICE, &G711);
    skill
        .says(
            &to,
            "s-rings",
            "InitiateOutboundCall",
            call_to("rings", &offer),
        )
        .await;
    tokio::task::block_in_place(|| {
        skill.wait("CallRinging", 2);
        device.hears(PHONE);
        answers.hears(DEVICE);
    });

    let (mut next, _, again) = Process::sidecar_with_control(&file);
    assert_eq!(again, control);
    tokio::task::block_in_place(|| {
        device.forget_heard();
        device.hears(PHONE);
        answers.forget_heard();
        answers.hears(DEVICE);
    });
    // What was taken is not taken again, whoever is asked.
    assert_eq!(skill.forward(&to, "request-up", begin).await, 202);
    // The device gives up what rings, and hangs up what is up.
    skill
        .says(&to, "s-rings", "CallRingingAck", json!({}))
        .await;
    let result = json!({"callResult": {"code": "SUCCESS", "message": "gave up"}});
    skill
        .says(&to, "s-rings", "CallEnded", result.clone())
        .await;
    tokio::task::block_in_place(|| rings.wait("CANCEL", |state| state.cancelled));
    skill.says(&to, "s-up", "CallEnded", result.clone()).await;
    tokio::task::block_in_place(|| answers.wait("BYE", |state| state.ended));
    // Alexa was told nothing of what it has said itself, and of no call twice.
    let said = skill.operations();
    assert_eq!(said, ["CallRinging", "CallAccepted", "CallRinging"]);

    // What is new is the newer one's, and so is what is late for the older one's calls once that has ended.
    let (device, offer) = Device::offering(DEVICE, &G711);
    let begin = call_to("answers", &offer);
    skill
        .says(&to, "s-new", "InitiateOutboundCall", begin)
        .await;
    tokio::task::block_in_place(|| skill.wait("CallRinging", 3));
    skill.says(&to, "s-new", "CallRingingAck", json!({})).await;
    let accepted = tokio::task::block_in_place(|| skill.wait("CallAccepted", 2));
    device.take_answer(accepted["sdpDetails"]["value"].as_str().unwrap());
    skill.says(&to, "s-new", "CallAcceptedAck", json!({})).await;
    tokio::task::block_in_place(|| first.succeeds("the older process", ENDS));
    skill.says(&to, "s-up", "CallEnded", result).await;
    tokio::task::block_in_place(|| {
        device.hears(PHONE);
        answers.hang_up();
        let end = skill.wait("CallEnded", 1);
        assert_eq!(end["sessionId"], "s-new");
    });
    assert!(next.0.try_wait().unwrap().is_none());
}
